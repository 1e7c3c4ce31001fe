"""Where a transfer may begin and end, over every transport."""

from __future__ import annotations

import os

import pytest

from hpc.errors import (
    FileForbidden,
    FileMissing,
    IsADirectory,
    NotADirectory,
    NotRegular,
    ParentMissing,
)
from hpc.files.places import Source, download_source, upload_target
from hpc.transports.base import Transport
from hpc.transports.ssh import SSHTransport
from tests.hpc.far_files import hostile_names, refused, shell


def test_a_directory_takes_the_name_and_anything_else_is_the_file(
    transport: Transport, far_dir: str
) -> None:
    shell(transport, far_dir, "mkdir d; echo old > f; ln -s d link; mkdir -m 500 closed")
    for asked, found in {
        far_dir: f"{far_dir}/name",
        f"{far_dir}/": f"{far_dir}/name",
        f"{far_dir}/d/.": f"{far_dir}/d/name",
        f"{far_dir}/link": f"{far_dir}/link/name",
        f"{far_dir}/f": f"{far_dir}/f",
        f"{far_dir}/new": f"{far_dir}/new",
        f"{far_dir}//d//new": f"{far_dir}/d/new",
        f"{far_dir}/d/../new": f"{far_dir}/new",
    }.items():
        assert transport.execute(upload_target(asked, "name")) == found, asked


def test_a_relative_target_is_in_the_home_directory(transport: Transport) -> None:
    home = shell(transport, "/", 'printf %s "$HOME"')
    assert transport.execute(upload_target("a new file", "name")) == f"{home}/a new file"
    assert transport.execute(upload_target(".", "name")) == f"{home}/name"


def test_refused_targets(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "mkdir -p d/name; echo > f; mkfifo p; ln -s nowhere/x away")
    for path, kind in {
        f"{far_dir}/none/f": ParentMissing,
        f"{far_dir}/none/": ParentMissing,
        f"{far_dir}/f/": NotADirectory,
        f"{far_dir}/f/x": NotADirectory,
        f"{far_dir}/f/x/y": NotADirectory,
        f"{far_dir}/d": IsADirectory,
        f"{far_dir}/p": NotRegular,
    }.items():
        refused(transport, upload_target(path, "name"), kind, path)
    for name in ("", ".", "..", "a/b", "a\0b"):
        with pytest.raises(ValueError, match="no name"):
            upload_target(far_dir, name)


@pytest.mark.lab
def test_rights_count_for_targets_and_sources(ssh: SSHTransport, lab: object) -> None:
    folder = shell(ssh, "/", "mktemp -d /tmp/centro-far-XXXXXX").strip()
    shell(
        ssh,
        folder,
        "mkdir -m 500 closed; mkdir -m 000 shut; echo > f; chmod 400 f; echo > g; chmod 200 g",
    )
    for path in ("closed", "closed/x", "shut/in/x", "f"):
        refused(ssh, upload_target(f"{folder}/{path}", "name"), FileForbidden)
    for path in ("g", "shut", "shut/x"):
        refused(ssh, download_source(f"{folder}/{path}"), FileForbidden)
    shell(ssh, folder, 'rm -rf -- shut closed f g; rmdir -- "$PWD"')


def test_sources(transport: Transport, far_dir: str) -> None:
    shell(
        transport,
        far_dir,
        "mkdir d; printf abcde > d/f; ln -s d/f link; mkfifo p; ln -s nowhere dead",
    )
    run = transport.execute
    assert run(download_source(f"{far_dir}/d/f")) == Source(f"{far_dir}/d/f", 5, False)
    assert run(download_source(f"{far_dir}/link")) == Source(f"{far_dir}/link", 5, False)
    assert run(download_source(f"{far_dir}/d")) == Source(f"{far_dir}/d", 0, True)
    for path, kind in {
        f"{far_dir}/none": FileMissing,
        f"{far_dir}/dead": FileMissing,
        f"{far_dir}/d/f/x": NotADirectory,
        f"{far_dir}/p": NotRegular,
        "/dev/null": NotRegular,
    }.items():
        refused(transport, download_source(path), kind, path)


def test_names_that_break_shells(transport: Transport, far_dir: str) -> None:
    for folder, name in hostile_names(transport, far_dir):
        target = transport.execute(upload_target(folder, name))
        assert target == f"{folder}/{name}"
        assert transport.execute(upload_target(f"{folder}/{name}", "x")) == target
        transport.run(["sh", "-c", 'printf abc > "$1"', "sh", target])
        found = transport.execute(download_source(target))
        assert (os.fsencode(found.path), found.size) == (os.fsencode(target), 3)
