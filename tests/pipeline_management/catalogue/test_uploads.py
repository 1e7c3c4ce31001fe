"""Uploads of versions: what is taken, and everything that is wrong told at once with its place."""

from __future__ import annotations

import io
import json
import secrets
import stat
import struct
import zipfile
from typing import Any

import pytest
import yaml

from pipeline_management.models import AuditEvent, CatalogueUpload, PipelineVersion
from pipeline_management.services.catalogue import package, uploads
from pipeline_management.services.site.reading import SiteError
from tests.factories import make_account, make_lab, make_run, make_system, make_user

pytestmark = pytest.mark.django_db

SCHEMA = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}


@pytest.fixture(autouse=True)
def there() -> None:
    """What the pipeline's systems and labs name."""
    make_system("cluster")
    make_lab("lab-a")


def part(**changes: Any) -> dict[str, Any]:
    """A whole pipeline in one YAML; a change to None takes the key away."""
    whole = {
        "name": "hello",
        "version": "1.0",
        "systems": ["cluster"],
        "labs": ["lab-a"],
        "schema": SCHEMA,
        "script": "echo {{ config.name }}",
        "example": {"pipeline": "hello", "name": "world"},
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


class Plain(yaml.SafeDumper):
    """Writes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def dumped(data: Any) -> bytes:
    return yaml.dump(data, Dumper=Plain, sort_keys=False).encode()


def text(**changes: Any) -> bytes:
    return dumped(part(**changes))


FILES: dict[str, bytes] = {
    "pipeline.yaml": text(schema=None, script=None, example=None, title="Hello"),
    "schema.json": json.dumps(SCHEMA).encode(),
    "script.sh": b"#!/bin/sh\necho {{ config.name }}\n",
    "example.json": b'{"pipeline": "hello", "name": "world"}',
    "README.md": b"# Hello\n\nIt says *hello*.\n",
}


def packed(
    files: dict[str, bytes] | None = None, method: int = zipfile.ZIP_DEFLATED, **more: bytes
) -> bytes:
    """A zip of these files, by default a whole pipeline; ``more`` has _ for the dot of a name."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in (
            (FILES if files is None else files) | {k.replace("_", "."): v for k, v in more.items()}
        ).items():
            archive.writestr(name, data)
    return stream.getvalue()


def faults(data: bytes, name: str = "upload") -> list[str]:
    return [str(fault) for fault in uploads.preview(name, data).faults]


# --- what is taken --------------------------------------------------------------------------------


def test_a_zip_with_the_usual_names_needs_no_keys() -> None:
    seen = uploads.preview("hello.zip", packed())
    assert seen.faults == []
    assert [str(change) for change in seen.changes] == [
        "created   pipeline hello",
        "created   version hello@1.0",
    ]
    assert seen.unused == []
    assert not PipelineVersion.objects.exists(), "a preview writes nothing"


def test_confirmed_it_is_there_with_its_documentation() -> None:
    person = make_user(staff=True)
    upload = uploads.keep("hello.zip", packed(), person)
    uploads.publish(upload, person)
    version = PipelineVersion.objects.get()
    assert str(version) == "hello@1.0"
    assert version.pipeline.title == "Hello"
    assert version.schema == SCHEMA
    assert version.script == "#!/bin/sh\necho {{ config.name }}\n"
    assert version.documentation == "# Hello\n\nIt says *hello*.\n"
    assert [lab.slug for lab in version.labs.all()] == ["lab-a"]
    assert not CatalogueUpload.objects.exists()
    event = AuditEvent.objects.get(action="catalogue.upload")
    assert event.target == "hello@1.0"


def test_one_yaml_has_everything_inline() -> None:
    assert faults(text()) == []


def test_a_folder_packed_as_a_whole_and_what_a_mac_adds() -> None:
    files = {f"hello-1.0/{name}": data for name, data in FILES.items()}
    files |= {"__MACOSX/hello-1.0/._schema.json": b"\x00\x05", "hello-1.0/.DS_Store": b"\x00"}
    assert faults(packed(files)) == []


def test_several_pipelines_in_one_file() -> None:
    data = dumped({"pipelines": [part(), part(version="1.1"), part(name="other")]})
    seen = uploads.preview("all.yaml", data)
    assert [version.part.version for version in seen.versions] == ["1.0", "1.1", "1.0"]


def test_files_that_nothing_names_are_told() -> None:
    seen = uploads.preview("x.zip", packed(notes_txt=b"hm"))
    assert (seen.faults, seen.unused) == ([], ["notes.txt"])


def test_the_same_again_changes_nothing() -> None:
    person = make_user(staff=True)
    uploads.publish(uploads.keep("x.zip", packed(), person), person)
    seen = uploads.preview("x.zip", packed())
    assert seen.faults == []
    assert seen.changes_nothing


def test_what_has_run_does_not_change() -> None:
    person = make_user(staff=True)
    uploads.publish(uploads.keep("x.zip", packed(), person), person)
    make_run(version=PipelineVersion.objects.get(), account=make_account())
    (fault,) = faults(packed(script_sh=b"echo other\n"))
    assert "version: hello@1.0 has runs and would change" in fault
    assert "publish it as a new version" in fault


def test_what_nobody_has_used_may_be_replaced() -> None:
    person = make_user(staff=True)
    uploads.publish(uploads.keep("x.zip", packed(), person), person)
    seen = uploads.preview("x.zip", packed(script_sh=b"echo other\n"))
    assert [change.details for change in seen.changes if change.action == "updated"] == [
        "script, content_sha256"
    ]


def test_the_world_may_change_before_it_is_confirmed() -> None:
    person = make_user(staff=True)
    first = uploads.keep("a.zip", packed(), person)
    uploads.publish(uploads.keep("b.zip", packed(script_sh=b"echo other\n"), person), person)
    make_run(version=PipelineVersion.objects.get(), account=make_account())
    with pytest.raises(SiteError, match="has runs and would change"):
        uploads.publish(first, person)
    assert CatalogueUpload.objects.filter(pk=first.pk).exists()


def test_few_unconfirmed_uploads_are_kept() -> None:
    person, other = make_user(staff=True), make_user(staff=True)
    uploads.keep("other", b"x", other)
    for number in range(8):
        uploads.keep(f"file {number}", b"x", person)
    names = CatalogueUpload.objects.filter(owner=person).values_list("name", flat=True)
    assert sorted(names) == [f"file {number}" for number in range(3, 8)]
    assert CatalogueUpload.objects.filter(owner=other).count() == 1


# --- what is not ----------------------------------------------------------------------------------


def test_every_problem_at_once_with_its_line() -> None:
    wrong = part(
        version="latest",
        labs=["lab-b"],
        systems=["clutser"],
        resources={"cpus": 0, "walltime": "soon"},
        colour="red",
    )
    found = faults(dumped(wrong))
    assert [line.split(": ")[1] for line in found] == [
        "resources.cpus",
        "resources.walltime",
        "colour",
    ]
    wrong = part(labs=["lab-b"], systems=["clutser"], schema={"type": "objct"}, script="{{ config.")
    found = faults(dumped(wrong))
    assert [line.split(": ")[1] for line in found] == ["systems[0]", "labs[0]", "schema", "script"]
    assert '(did you mean "cluster"?)' in found[0]
    assert all(line.startswith("line ") for line in found)


BAD_YAML = {
    "empty": (b"", "is empty"),
    "nothing in it": (b"# nothing\n", "must hold a mapping"),
    "a list": (b"- a\n- b\n", "must hold a mapping"),
    "a word": (b"hello", "must hold a mapping"),
    "not YAML": (b"name: [a\nversion: 1", "line 2: not valid YAML"),
    "not UTF-8": (b"name: \xff\xfe", "is not UTF-8 text"),
    "a null character": (b"name: a\x00b", "null character"),
    "a key twice": (b"name: a\nname: b\n", "line 2: name: given twice, first in line 1"),
    "two documents": (b"name: a\n---\nname: b\n", "not valid YAML"),
    "an object of Python": (b"name: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
    "an alias": (b"name: &a hello\ntitle: *a\n", "line 2: aliases (*name) are not taken here"),
    "a billion laughs": (
        b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 106)),
        "line 2: aliases",
    ),
    "nested deep": (b"name: " + b"[" * 5000, "is nested more than 40 deep"),
    "a date that is none": (b"name: 2026-02-30\n", "holds a value that cannot be read"),
    "a number without end": (b"name: " + b"9" * 6000 + b"\n", "holds a value that cannot be read"),
    "too long": (b"name: " + b"x" * 600_000, "expected at most 500000"),
    "too large": (b"#" * 2_000_001, "expected at most 2000000"),
    "systems are not for uploads": (text() + b"", None),
    "no name": (text(name=None), "name: is missing"),
    "a name that is none": (text(name="../etc"), "name: expected a letter"),
    "a version that is none": (text(version="1/2"), "version: expected letters, digits"),
    "a version as a number": (text(version=1.0), "version: expected text; write it in quotes, found 1.0"),
    "an unknown engine": (text(engine="make"), "engine: expected"),
    "a script for an engine that makes it": (text(engine="snakemake"), "makes the job script: remove script"),
    "no script": (text(script=None), "expected exactly one of script and script_file"),
    "no systems": (text(systems=[]), "systems:"),
    "all labs and one": (text(labs=["*", "lab-a"]), '"*" means all labs'),
    "a lab twice": (text(labs=["lab-a", "lab-a"]), "labs names something twice"),
    "a file of the server": (text(script=None, script_file="/etc/passwd"), "script_file: the upload has no file '/etc"),
    "a file outside": (text(schema=None, schema_file="../../secrets.json"), "schema_file: the upload has no file"),
    "a file at home": (text(example=None, example_file="~/.ssh/id_rsa"), "example_file: the upload has no file"),
    "an example that does not fit": (
        text(example={"pipeline": "hello", "name": 3}), "name is the number 3; expected a string",
    ),
    "a schema that is none": (text(schema={"type": 3}), "schema:"),
    "a template that is none": (text(script="{% if %}"), "script:"),
    "an unknown key": (text(documentaton="x"), 'is not a known key (did you mean "documentation"?)'),
    "documentation twice": (text(documentation="a", documentation_file="b"), "expected one of documentation and"),
    "long documentation": (text(documentation="x" * 200_001), "documentation:"),
}  # fmt: skip
del BAD_YAML["systems are not for uploads"]


@pytest.mark.parametrize(("data", "expected"), BAD_YAML.values(), ids=BAD_YAML)
def test_a_bad_yaml(data: bytes, expected: str) -> None:
    found = faults(data)
    assert expected in "\n".join(found)
    assert not PipelineVersion.objects.exists()


def test_only_pipelines_are_taken() -> None:
    data = yaml.safe_dump(
        {"pipelines": [part()], "users": [{"username": "eve", "staff": True}]}
    ).encode()
    (fault,) = faults(data)
    assert "users: does not belong into an upload" in fault
    (fault,) = faults(
        yaml.safe_dump({"pipelines": [part()] * 21}, sort_keys=False)
        .encode()
        .replace(b"&id001", b"")
    )
    assert "alias" in fault or "expected 1 to 20" in fault


def test_too_many_pipelines() -> None:
    (fault,) = faults(dumped({"pipelines": [part(version=f"1.{number}") for number in range(21)]}))
    assert "pipelines: has 21 entries, expected 1 to 20" in fault


def linked() -> bytes:
    stream = io.BytesIO(packed())
    with zipfile.ZipFile(stream, "a") as archive:
        info = zipfile.ZipInfo("link.sh")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return stream.getvalue()


def twice() -> bytes:
    stream = io.BytesIO(packed())
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("SCHEMA.json", "{}")
    return stream.getvalue()


def encrypted() -> bytes:
    data = bytearray(packed())
    at = data.find(b"PK\x01\x02")
    data[at + 8] |= 1
    return bytes(data)


def lying() -> bytes:
    """A member that is a hundred times as large as its header says."""
    data = bytearray(packed(big_txt=b"x" * 100_000))
    at = data.find(b"big.txt", data.find(b"PK\x01\x02"))
    data[at - 46 + 24 : at - 46 + 28] = struct.pack("<I", 1000)
    return bytes(data)


BAD_ZIP = {
    "no zip at all": (lambda: b"PK\x03\x04 and more", "is not a readable zip file"),
    "cut off": (lambda: packed()[:-30], "is not a readable zip file"),
    "empty": (lambda: packed({}), "expected one pipeline.yaml at the top"),
    "without a YAML": (lambda: packed({"schema.json": b"{}"}), "there is schema.json"),
    "with two": (lambda: packed(pipeline_yml=FILES["pipeline.yaml"]), "expected one pipeline.yaml"),
    "a path outside": (
        lambda: packed(FILES | {"../evil.sh": b"x"}),
        "../evil.sh: is not a path within the upload",
    ),
    "an absolute path": (
        lambda: packed(FILES | {"/etc/cron.d/x": b"x"}),
        "is not a path within the upload",
    ),
    "a path of Windows": (
        lambda: packed(FILES | {"C:/x": b"x"}),
        "is not a path within the upload",
    ),
    "a control character": (
        lambda: packed(FILES | {"a\x1b[31m.sh": b"x"}),
        "is not a path within the upload",
    ),
    "a long name": (lambda: packed(FILES | {"x" * 300: b"x"}), "more than 200 characters"),
    "a symbolic link": (linked, "link.sh: is a symbolic link"),
    "a name twice": (twice, "SCHEMA.json: is there twice"),
    "encrypted": (encrypted, "is encrypted"),
    "another method": (
        lambda: packed(method=zipfile.ZIP_LZMA),
        "packed by a method other than deflate",
    ),
    "many members": (
        lambda: packed({f"{n}.txt": b"" for n in range(51)}),
        "has 51 members, expected at most 50",
    ),
    "a bomb": (
        lambda: packed(bomb_txt=b"\0" * 1_900_000),
        "unpacks to more than 200 times its size",
    ),
    "a large member": (lambda: packed(large_txt=b"\0" * 3_000_000), "expected at most 2000000"),
    "large together": (
        lambda: packed(FILES | {f"{n}.txt": (b"%d" % n) * 900_000 for n in range(10, 15)}),
        "unpacks to",
    ),
    "a size that lies": (lying, "is not a readable zip file"),
    "a script that is no text": (
        lambda: packed(script_sh=b"\x7fELF\x00\xff"),
        "script.sh is not UTF-8 text",
    ),
    "a schema that is no JSON": (
        lambda: packed(schema_json=b'{"type": }'),
        "schema_file: schema.json: line 1",
    ),
    "a schema with a key twice": (
        lambda: packed(schema_json=b'{"type": "object", "type": "object"}'),
        "schema.json",
    ),
    "an example that is a list": (
        lambda: packed(example_json=b"[1]"),
        "example_file: example.json",
    ),
    "long documentation": (
        lambda: packed(README_md=secrets.token_hex(120_000).encode()),
        "documentation_file: has 240000 characters",
    ),
}


@pytest.mark.parametrize(("make", "expected"), BAD_ZIP.values(), ids=BAD_ZIP)
def test_a_bad_zip(make: Any, expected: str) -> None:
    assert expected in "\n".join(faults(make()))
    assert not PipelineVersion.objects.exists()


def test_a_member_is_never_read_further_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "MAX_MEMBER", 150)
    monkeypatch.setattr(package, "_refused", lambda _: "")
    assert "unpacks to more than 150 bytes" in "\n".join(faults(packed(large_txt=b"ab" * 100)))
