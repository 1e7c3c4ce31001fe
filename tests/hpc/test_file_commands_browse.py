"""What a person sees of a system's files, over every transport: directories, parts of files, patterns, roots."""

from __future__ import annotations

import time

import pytest

from hpc.errors import FileForbidden, FileMissing, IsADirectory, NotADirectory, NotRegular
from hpc.files.browsing import browse, describe, matching, peek
from hpc.files.globs import check_glob, find_pattern, glob_depth, matches
from hpc.transports.base import Transport
from tests.hpc.far_files import hostile_names, refused, shell


def test_a_directory(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, (
        "mkdir d; printf abc > f; chmod 640 f; ln -s d to-d; ln -s none broken; ln -s self self; "
        "touch .dot; TZ=UTC touch -d '2001-02-03 04:05:06' f"
    ))
    found = transport.execute(browse(far_dir))
    seen = {entry.name: entry for entry in found.entries}
    assert set(seen) == {"d", "f", "to-d", "broken", "self", ".dot"}
    assert (seen["f"].size, seen["f"].permissions, seen["f"].modified) == (3, "rw-r-----", 981173106.0)
    assert seen["to-d"].is_directory and seen["to-d"].link_target == "d"
    assert seen["broken"].is_broken and seen["self"].is_broken and not seen["to-d"].is_broken
    assert found.path == shell(transport, far_dir, "pwd -P").strip()
    assert transport.execute(browse(f"{far_dir}/to-d")).entries == []
    assert transport.execute(describe(f"{far_dir}/to-d")).link_target == "d"
    refused(transport, browse(f"{far_dir}/f"), NotADirectory)
    refused(transport, browse(f"{far_dir}/none"), FileMissing)
    refused(transport, describe(f"{far_dir}/none"), FileMissing)


def test_parts_of_a_file(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "printf 0123456789 > f; mkfifo p; touch -d @1000000000 f")
    part = transport.execute(peek(f"{far_dir}/f", 3, 4))
    assert (part.data, part.offset, part.end, part.size) == (b"3456", 3, 7, 10)
    assert part.modified == 1_000_000_000
    assert transport.execute(peek(f"{far_dir}/f", 99, 4)).data == b""
    assert transport.execute(peek(f"{far_dir}/f", 0, 0)).size == 10
    refused(transport, peek(f"{far_dir}/p", 0, 1), NotRegular)
    refused(transport, peek(far_dir, 0, 1), IsADirectory)
    refused(transport, peek(f"{far_dir}/none", 0, 1), FileMissing)


def test_nothing_outside_of_the_roots(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, (
        "mkdir -p run/sub run-other; echo t > run/.token; ln -s .token run/token; echo key > secret; "
        "echo mine > run/sub/f; echo x > run-other/f; "
        "cd run; ln -s ../secret file-out; ln -s .. dir-out; ln -s sub/f inside; ln -s ../run-other sibling"
    ))
    roots = [f"{far_dir}/run", f"{far_dir}/no-such-work-directory"]
    assert transport.execute(peek(f"{far_dir}/run/inside", 0, 9, roots)).data == b"mine\n"
    assert [e.name for e in transport.execute(browse(f"{far_dir}/run/sub", roots)).entries] == ["f"]
    listed = {entry.name for entry in transport.execute(browse(f"{far_dir}/run", roots)).entries}
    assert ".token" not in listed and "token" in listed
    outside = ("run/file-out", "run/sibling/f", "run/dir-out/secret", "secret", "run/../secret")
    for path in ("run/token", "run/.token", *outside):
        refused(transport, peek(f"{far_dir}/{path}", 0, 9, roots), FileForbidden)
    for path in ("run/dir-out", "run/sibling", "", "run/.."):
        refused(transport, browse(f"{far_dir}/{path}", roots), FileForbidden)


def test_a_link_that_changes_all_the_time_never_leads_out(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "mkdir run; echo key > secret; echo mine > run/f")
    changer = (
        "cd run; i=0; while [ $i -lt 300 ]; do ln -sfT f l; ln -sfT ../secret l; i=$((i + 1)); done >/dev/null 2>&1 &"
    )
    shell(transport, far_dir, changer)
    seen, until = set(), time.monotonic() + 0.8
    while time.monotonic() < until:
        try:
            seen.add(transport.execute(peek(f"{far_dir}/run/l", 0, 9, [f"{far_dir}/run"])).data)
        except (FileForbidden, FileMissing):
            continue
    assert seen <= {b"mine\n"}


def test_hostile_names(transport: Transport, far_dir: str) -> None:
    for folder, name in hostile_names(transport, far_dir):
        transport.run(["sh", "-c", 'printf body >"$1"', "sh", f"{folder}/{name}"])
        assert [e.name for e in transport.execute(browse(folder, [folder])).entries] == [name]
        assert transport.execute(peek(f"{folder}/{name}", 0, 9, [folder])).data == b"body"
        assert transport.execute(describe(f"{folder}/{name}")).name == name
        assert [m.path for m in transport.execute(matching(folder, ["*"]))] == [name]


def test_files_by_pattern(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, (
        "mkdir -p a/b/c; touch top.html a/one.html a/b/two.html a/b/c/x.txt; mkdir a/d.html; "
        "ln -s one.html a/link.html; ln -s none a/broken.html"
    ))

    def found(*patterns: str) -> list[str]:
        return [match.path for match in transport.execute(matching(far_dir, patterns))]

    assert found("*.html") == ["top.html"]
    assert found("**/*.html") == ["a/b/two.html", "a/link.html", "a/one.html", "top.html"]
    assert found("a/b/c/x.txt", "top.html") == ["a/b/c/x.txt", "top.html"]
    refused(transport, matching(f"{far_dir}/none", ["*"]), FileMissing)


@pytest.mark.parametrize(
    ("path", "pattern", "fits"),
    [
        ("x.html", "*.html", True), ("a/x.html", "*.html", False), ("a/x.html", "*/*.html", True),
        ("x.html", "**/*.html", True), ("a/b/c/x.html", "**/*.html", True), ("a/b/x.html", "a/**/*.html", True),
        ("a/x.html", "a/**/x.html", True), ("b/x.html", "a/**/x.html", False), ("ab.txt", "[ab]?.txt", True),
        ("cb.txt", "[!c]b.txt", False), ("x\n.html", "*.html", True), ("a/b", "**/**/b", True),
        ("a" * 255, "*a" * 60 + "b", False),
    ],
)  # fmt: skip
def test_patterns(path: str, pattern: str, fits: bool) -> None:
    assert matches(path, pattern) is fits


def test_what_a_pattern_may_not_be() -> None:
    for wrong in ("", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a**/b", "**", "a/**", "x" * 201, "a\nb"):
        with pytest.raises(ValueError, match="expected"):
            check_glob(wrong)
    assert check_glob("results/**/*.html") == "results/**/*.html"
    assert (glob_depth("a/*.html"), find_pattern("**/x")) == (2, "./*x")
