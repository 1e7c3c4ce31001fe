"""Packing and unpacking, over every transport."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile

import pytest

from hpc.errors import (
    BadArchive,
    CommandTimeout,
    FileForbidden,
    FileMissing,
    IsADirectory,
    NotADirectory,
    NotRegular,
    ParentMissing,
    RemoteFileError,
    UnsupportedArchive,
)
from hpc.files.archives import compress, extract, kind_of
from hpc.transports.base import Transport
from hpc.transports.ssh import SSHTransport
from tests.hpc.far_files import hostile_names, names, refused, shell


def members(transport: Transport, path: str) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(transport.read(path)), mode="r:gz", errors="surrogateescape") as archive:
        return {member.name: member for member in archive}


def tar(*made: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode) as archive:  # type: ignore[call-overload]  # a variable mode
        for info, data in made:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


def member(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def zipped(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


@pytest.fixture
def tree(transport: Transport, far_dir: str) -> str:
    shell(transport, far_dir, (
        "mkdir -p data/sub out; echo 1 > data/one; echo 2 > data/sub/two; chmod 751 data/one; "
        "ln -s one data/link; ln -s no data/gone"
    ))
    return far_dir


def test_compress(transport: Transport, tree: str) -> None:
    transport.execute(compress(f"{tree}/data", f"{tree}/out/data.tar.gz"))
    found = members(transport, f"{tree}/out/data.tar.gz")
    assert sorted(found) == ["data", "data/gone", "data/link", "data/one", "data/sub", "data/sub/two"]
    assert found["data/link"].issym()
    assert found["data/one"].mode == 0o751
    transport.execute(compress(f"{tree}/data/", f"{tree}/out/data.tar.gz"))  # replaced
    transport.execute(compress(f"{tree}/data/one", f"{tree}/out/one.tgz"))
    assert list(members(transport, f"{tree}/out/one.tgz")) == ["one"]
    assert names(transport, f"{tree}/out") == ["data.tar.gz", "one.tgz"]


def test_compress_what_links_point_to(transport: Transport, tree: str) -> None:
    shell(transport, tree, "rm data/gone; echo out > there; ln -s ../there data/away")
    transport.execute(compress(f"{tree}/data", f"{tree}/o.tgz", dereference=True))
    found = members(transport, f"{tree}/o.tgz")
    assert (found["data/away"].isreg(), found["data/away"].size) == (True, 4)
    assert not found["data/link"].issym()
    transport.execute(compress(f"{tree}/data/link", f"{tree}/l.tgz"))
    assert members(transport, f"{tree}/l.tgz")["link"].issym()


def test_an_archive_beside_what_it_holds(transport: Transport, tree: str) -> None:
    transport.execute(compress(f"{tree}/data", f"{tree}/data/all.tgz"))
    assert "data/one" in members(transport, f"{tree}/data/all.tgz")
    assert not [name for name in members(transport, f"{tree}/data/all.tgz") if "centro" in name]


def test_compress_is_refused(transport: Transport, tree: str) -> None:
    source, target = f"{tree}/data", f"{tree}/out/x.tgz"
    refused(transport, compress(f"{tree}/no", target), FileMissing, f"{tree}/no")
    refused(transport, compress(f"{source}/one/x", target), NotADirectory, f"{source}/one/x")
    refused(transport, compress(source, f"{tree}/no/x.tgz"), ParentMissing, f"{tree}/no/x.tgz")
    refused(transport, compress(source, f"{source}/one/x.tgz"), NotADirectory, f"{source}/one/x.tgz")
    refused(transport, compress(source, f"{tree}/out"), IsADirectory, f"{tree}/out")
    for nameless in ("/", f"{tree}/.", f"{tree}/..", ".", "..", "//"):
        with pytest.raises(RemoteFileError, match="name of its own"):
            compress(nameless, target)
    assert names(transport, f"{tree}/out") == []


def test_a_time_out_leaves_no_half_archive(transport: Transport, tree: str) -> None:
    shell(transport, tree, "echo old > out/x.tgz; head -c 80000000 /dev/urandom > data/big")
    for target in ("out/x.tgz", "out/new.tgz"):
        refused(transport, compress(f"{tree}/data", f"{tree}/{target}", timeout=0.5), CommandTimeout)
    assert names(transport, f"{tree}/out") == ["x.tgz"]
    assert transport.read(f"{tree}/out/x.tgz") == b"old\n"
    assert transport.run(["pgrep", "-f", f"tar -c -z .* {tree}"]).text == ""
    assert transport.is_usable


@pytest.mark.parametrize(("name", "mode"), [
    ("a.tar", "w"), ("a.tgz", "w:gz"), ("a.tar.gz", "w:gz"), ("a.gz", "w:gz"), ("a.bz2", "w:bz2"),
    ("a.tar.bz2", "w:bz2"), ("A.TGZ", "w:gz"),
])
def test_extract_tar(transport: Transport, tree: str, name: str, mode: str) -> None:
    transport.write(f"{tree}/{name}", tar((member("d/f", mode=0o640), b"content\n"), mode=mode))
    transport.execute(extract(f"{tree}/{name}", f"{tree}/out"))
    assert transport.read(f"{tree}/out/d/f") == b"content\n"
    assert stat.S_IMODE(transport.stat(f"{tree}/out/d/f").mode) & 0o600 == 0o600
    transport.write(f"{tree}/odd name", transport.read(f"{tree}/{name}"))
    kind = name.lower().split(".", 1)[1]
    for extension in (kind, f".{kind}"):
        transport.execute(extract(f"{tree}/odd name", f"{tree}/out", extension=extension))


def test_extract_zip(transport: Transport, tree: str) -> None:
    transport.write(f"{tree}/a.zip", zipped(**{"d/f": b"content\n", "*": b"star", "g": b"new"}))
    transport.write(f"{tree}/out/g", b"old")
    transport.execute(extract(f"{tree}/a.zip", f"{tree}/out"))
    assert transport.read(f"{tree}/out/d/f") == b"content\n"
    assert transport.read(f"{tree}/out/g") == b"new"
    assert names(transport, f"{tree}/out") == ["*", "d", "g"]


def test_extract_zip_without_unzip(transport: Transport, tree: str) -> None:
    transport.write(f"{tree}/a.zip", zipped(**{"d/f": b"content\n", "../../escaped": b"x"}))
    transport.write(f"{tree}/bad.zip", b"no archive")
    shell(transport, tree, "mkdir bin none; for i in sh timeout; do for d in bin none; do "
                           "ln -s $(command -v $i) $d/; done; done; ln -s /usr/bin/python3 bin/")
    for folder, archive, kind in (("bin", "a", None), ("bin", "bad", BadArchive), ("none", "a", UnsupportedArchive)):
        command = extract(f"{tree}/{archive}.zip", f"{tree}/out")
        found = transport.run(command.argv, env=(("PATH", f"{tree}/{folder}"), ("LC_ALL", "C")))
        if kind is None:
            command.parse(found)
            continue
        with pytest.raises(kind, match="not a zip file|unzip nor python3"):
            command.parse(found)
    assert transport.read(f"{tree}/out/d/f") == b"content\n"
    assert "escaped" not in names(transport, tree)


def test_archives_cannot_escape(transport: Transport, tree: str) -> None:
    evil = b"evil"
    shell(transport, tree, "mkdir -p safe/in; echo good > safe/target")
    inside = f"{tree}/safe/in"
    attacks = {
        "dots.tar": tar((member("../escaped"), evil), (member("a/../../escaped"), evil)),
        "root.tar": tar((member(f"{tree}/safe/escaped"), evil)),
        "link.tar": tar(
            (member("out", type=tarfile.SYMTYPE, linkname=".."), b""), (member("out/escaped"), evil)
        ),
        "file.tar": tar(
            (member("f", type=tarfile.SYMTYPE, linkname="../target"), b""), (member("f"), evil)
        ),
        "hard.tar": tar(
            (member("h", type=tarfile.LNKTYPE, linkname="../target"), b""), (member("h"), evil)
        ),
        "dots.zip": zipped(**{"../escaped": evil, "a/../../escaped": evil}),
        "root.zip": zipped(**{f"{tree}/safe/escaped": evil}),
    }
    for name, data in attacks.items():
        transport.write(f"{tree}/{name}", data)
        try:
            transport.execute(extract(f"{tree}/{name}", inside))
        except RemoteFileError as error:
            assert type(error) in (BadArchive, FileForbidden), repr(error)  # noqa: PT017 - either is safe
        assert names(transport, f"{tree}/safe") == ["in", "target"], name
        assert transport.read(f"{tree}/safe/target") == b"good\n", name
        shell(transport, tree, "rm -r safe/in; mkdir safe/in")


def test_extract_is_refused(transport: Transport, tree: str) -> None:
    good = f"{tree}/a.tar"
    transport.write(good, tar((member("f"), b"x")))
    shell(transport, tree, "mkfifo p.tar; mkdir d.zip")
    refused(transport, extract(f"{tree}/no.tar", f"{tree}/out"), FileMissing, f"{tree}/no.tar")
    refused(transport, extract(f"{good}/x.zip", f"{tree}/out"), NotADirectory, f"{good}/x.zip")
    refused(transport, extract(f"{tree}/d.zip", f"{tree}/out"), IsADirectory, f"{tree}/d.zip")
    refused(transport, extract(f"{tree}/p.tar", f"{tree}/out"), NotRegular, f"{tree}/p.tar")
    refused(transport, extract(good, f"{tree}/no"), ParentMissing, f"{tree}/no")
    refused(transport, extract(good, f"{tree}/data/one"), NotADirectory, f"{tree}/data/one")
    for extension in ("zip", "tgz", "gz", "bz2", "tar"):
        bad = f"{tree}/data/one"
        refused(transport, extract(bad, f"{tree}/out", extension=extension), BadArchive, bad)
    whole = tar((member("f"), b"x" * 100_000), mode="w:gz")
    transport.write(f"{tree}/cut.tgz", whole[: len(whole) // 2])
    refused(transport, extract(f"{tree}/cut.tgz", f"{tree}/out"), BadArchive)


@pytest.mark.lab
def test_archives_without_rights(ssh: SSHTransport, lab: object) -> None:
    folder = ssh.run(["mktemp", "-d", "/tmp/centro-far-XXXXXX"]).text.strip()
    ssh.write(f"{folder}/a.tar", tar((member("shut/f"), b"x"), (member("g"), b"x")))
    ssh.write(f"{folder}/a.zip", zipped(g=b"x"))
    shell(ssh, folder, "mkdir -p data out/shut; echo > data/f; chmod 0 data/f; chmod 500 out/shut; "
                       "cp a.tar dark.tar; chmod 0 dark.tar")
    for command, path in (
        (compress(f"{folder}/a.tar", "/etc/x.tgz"), "/etc/x.tgz"),
        (compress(f"{folder}/data", f"{folder}/x.tgz"), f"{folder}/data"),
        (compress("/root/x", f"{folder}/x.tgz"), "/root/x"),
        (extract(f"{folder}/a.tar", "/etc"), "/etc"),
        (extract(f"{folder}/a.zip", "/etc"), "/etc"),
        (extract(f"{folder}/dark.tar", f"{folder}/out"), f"{folder}/dark.tar"),
        (extract("/root/x.zip", f"{folder}/out"), "/root/x.zip"),
        (extract(f"{folder}/a.tar", f"{folder}/out"), f"{folder}/out"),
    ):
        refused(ssh, command, FileForbidden, path)
    assert "x.tgz" not in names(ssh, folder)
    ssh.run(["sh", "-c", 'chmod -R u+rwx "$1"; rm -r "$1"', "sh", folder])


def test_hostile_names(transport: Transport, far_dir: str) -> None:
    for folder, name in hostile_names(transport, far_dir):
        if len(name) > 200:
            continue  # no room for a suffix
        shell(transport, folder, "mkdir w")
        inner = f"{folder}/w/{name}"
        transport.run(["mkdir", "-p", "--", f"{inner}/o"])
        transport.write(f"{inner}/f", b"content")
        transport.execute(compress(f"{inner}/f", f"{inner}/{name}.tgz"))
        transport.execute(extract(f"{inner}/{name}.tgz", f"{inner}/o"))
        assert transport.read(f"{inner}/o/f") == b"content"
        transport.execute(compress(inner, f"{folder}/{name}.tgz"))
        transport.run(["rm", "-r", "--", inner])
        transport.execute(extract(f"{folder}/{name}.tgz", f"{folder}/w"))
        assert transport.read(f"{inner}/f") == b"content"
        transport.write(f"{inner}/{name}.zip", zipped(z=b"zipped"))
        transport.execute(extract(f"{inner}/{name}.zip", f"{inner}/o"))
        assert transport.read(f"{inner}/o/z") == b"zipped"
        assert "ran" not in names(transport, folder) + names(transport, inner)


def test_names_that_look_like_patterns_of_unzip(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "mkdir out")
    transport.write(f"{far_dir}/a*.zip", zipped(right=b"x"))
    transport.write(f"{far_dir}/abc.zip", zipped(wrong=b"x"))
    transport.execute(extract(f"{far_dir}/a*.zip", f"{far_dir}/out"))
    assert names(transport, f"{far_dir}/out") == ["right"]


@pytest.mark.parametrize(("path", "extension", "kind"), [
    ("/x.zip", "auto", "zip"), ("/x.tar.gz", "auto", "gz"), ("/x.gz", "", "gz"), ("/x.zip", "tar.gz", "gz"),
    ("/x.zip", ".tgz", "tgz"), ("/x.bz2", "my-job-name", "bz2"), ("/x", "TAR", "tar"), ("/x.Tar", "auto", "tar"),
])
def test_kinds(path: str, extension: str, kind: str) -> None:
    assert kind_of(path, extension) == kind


@pytest.mark.parametrize("path", ["/x", "/x.rar", "/a.zip/x", "/x.tar.xz", "/.zip"])
def test_kinds_that_are_not_known(path: str) -> None:
    with pytest.raises(UnsupportedArchive, match="zip, tar, tgz, gz or bz2"):
        extract(path, "/tmp")


@pytest.mark.parametrize(("code", "kept"), [(0, True), (1, True), (2, False)])
def test_what_the_exit_code_of_tar_means(transport: Transport, tree: str, code: int, kept: bool) -> None:
    """tar says by 1 that a file changed while it was read, as logs do, and by 2 that something is missing."""
    shell(transport, tree, (
        f"mkdir bin; printf '#!/bin/sh\\n/bin/tar \"$@\"\\necho tar: said so >&2\\nexit {code}\\n' > bin/tar; "
        "chmod 755 bin/tar"
    ))
    command = compress(f"{tree}/data", f"{tree}/out/x.tgz")
    found = transport.run(command.argv, env=(("PATH", f"{tree}/bin:/usr/bin:/bin"), ("LC_ALL", "C")))
    if kept:
        command.parse(found)
        assert "data/one" in members(transport, f"{tree}/out/x.tgz")
        return
    with pytest.raises(RemoteFileError, match="said so"):
        command.parse(found)
    assert names(transport, f"{tree}/out") == []
