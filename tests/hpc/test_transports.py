"""The contract of ``Transport``, over every transport."""

from __future__ import annotations

import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hpc.commands import Command
from hpc.errors import (
    CommandTimeout,
    ConnectFailed,
    FileForbidden,
    FileMissing,
    OutputTooLarge,
    RemoteFileError,
)
from hpc.transports.base import Transport
from hpc.transports.ssh import SSHTransport

ODD_NAMES = ["-rf", "a b", "new\nline", "é", "\udcff\udcfe", "'\"$(x)", "x" * 200, ".hidden"]


def test_exit_code_and_both_streams(transport: Transport) -> None:
    result = transport.run(["sh", "-c", "printf out; printf err >&2; exit 3"])
    assert (result.exit_code, result.stdout, result.stderr) == (3, b"out", b"err")
    assert result.duration > 0


def test_a_command_that_does_not_exist_is_an_exit_code(transport: Transport) -> None:
    result = transport.run(["centro-no-such-program"])
    assert result.exit_code == 127
    assert "not found" in result.error_text


def test_megabytes_both_ways_on_all_streams(transport: Transport) -> None:
    data = os.urandom(5_000_000)
    result = transport.run(["sh", "-c", "tee /dev/stderr"], stdin=data, max_output=20_000_000)
    assert result.stdout == data
    assert result.stderr == data


def test_input_that_nobody_reads(transport: Transport) -> None:
    result = transport.run(["sh", "-c", "exit 5"], stdin=b"x" * 3_000_000)
    assert result.exit_code == 5
    assert transport.run(["true"]).exit_code == 0


def test_no_input_is_the_end_of_input(transport: Transport) -> None:
    assert transport.run(["cat"]).stdout == b""


def test_a_process_left_behind_does_not_hold_the_answer(transport: Transport) -> None:
    result = transport.run(["sh", "-c", "sleep 20 & echo $!"], timeout=10)
    os_pid = result.text.strip()
    assert transport.run(["kill", os_pid]).exit_code == 0


def test_working_directory_and_environment(transport: Transport, far_dir: str) -> None:
    result = transport.run(["sh", "-c", 'pwd; echo "$A"'], cwd=far_dir, env=[("A", "b c")])
    assert result.text == f"{far_dir}\nb c\n"
    with pytest.raises(FileMissing):
        transport.run(["touch", "ran"], cwd=f"{far_dir}/missing")


def test_our_own_environment_stays_here(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CENTRO_SECRETS", "/a/secret")
    assert "CENTRO_SECRETS" not in transport.run(["env"]).text


def test_a_command_that_takes_too_long(transport: Transport) -> None:
    with pytest.raises(CommandTimeout):
        transport.run(["sleep", "60"], timeout=0.5)


def test_too_much_output(transport: Transport) -> None:
    with pytest.raises(OutputTooLarge):
        transport.run(["head", "-c", "3000000", "/dev/zero"], max_output=100_000)
    assert transport.run(["true"]).exit_code == 0


def test_execute_passes_every_field(transport: Transport, far_dir: str) -> None:
    command = Command(
        argv=("sh", "-c", 'cat; printf "%s" "$PWD$X"'), parse=lambda r: (r.exit_code, r.text),
        stdin=b"in ", cwd=far_dir, env=(("X", "!"),),
    )
    assert transport.execute(command) == (0, f"in {far_dir}!")


def test_many_threads_share_a_transport(transport: Transport) -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        for turn in range(10):
            text = f"{number}-{turn}"
            if transport.run(["printf", "%s", text]).text != text:
                wrong.append(text)
            if not transport.stat("/tmp").is_dir:
                wrong.append("stat")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_write_and_read_back(transport: Transport, far_dir: str) -> None:
    for size in (0, 1, 32_768, 32_769, 3_000_000):
        data = os.urandom(size)
        transport.write(f"{far_dir}/f", data, mode=0o640)
        assert transport.read(f"{far_dir}/f") == data
    found = transport.stat(f"{far_dir}/f")
    assert (found.size, stat.S_IMODE(found.mode), found.is_file) == (3_000_000, 0o640, True)
    assert abs(found.mtime - datetime.now(UTC)) < timedelta(minutes=5)
    assert [entry.name for entry in transport.listdir(far_dir)] == ["f"]  # no partial file left


def test_parts_of_a_file(transport: Transport, far_dir: str) -> None:
    data = os.urandom(200_000)
    transport.write(f"{far_dir}/f", data)
    for offset, length in ((0, 10), (5, 0), (199_990, 100), (200_001, 5), (7, 150_000), (7, None)):
        end = None if length is None else offset + length
        assert transport.read(f"{far_dir}/f", offset, length) == data[offset:end]


def test_files_of_proc_have_no_size_but_content(transport: Transport) -> None:
    assert b"Linux" in transport.read("/proc/version")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names(transport: Transport, far_dir: str, name: str) -> None:
    path = f"{far_dir}/{name}"
    transport.write(path, b"x")
    assert transport.read(path) == b"x"
    assert transport.stat(path).size == 1
    assert [entry.name for entry in transport.listdir(far_dir)] == [name]
    transport.remove(path)
    assert transport.listdir(far_dir) == []


def test_list_shows_links_as_links(transport: Transport, far_dir: str) -> None:
    transport.run(["sh", "-c", "mkdir d; ln -s /nowhere l; echo hi > f"], cwd=far_dir)
    found = {entry.name: entry for entry in transport.listdir(far_dir)}
    assert list(found) == ["d", "f", "l"]
    assert (found["d"].is_dir, found["l"].is_link, found["f"].size) == (True, True, 3)
    assert transport.stat(f"{far_dir}/l", follow=False).is_link
    with pytest.raises(FileMissing):
        transport.stat(f"{far_dir}/l")


def test_a_name_that_is_not_utf8_beside_others(transport: Transport, far_dir: str) -> None:
    transport.run(["sh", "-c", r"mkdir d; ln -s x l; printf abc > 'f g'; : > \""], cwd=far_dir)
    transport.write(f"{far_dir}/\udcff\udcfe", b"12")
    found = {entry.name: entry for entry in transport.listdir(far_dir)}
    assert found["\udcff\udcfe"].size == 2
    assert (found["d"].is_dir, found["l"].is_link, found["f g"].size) == (True, True, 3)


def test_get_and_put(transport: Transport, far_dir: str, tmp_path: Path) -> None:
    data = os.urandom(3_000_001)
    (tmp_path / "up").write_bytes(data)
    assert transport.put(tmp_path / "up", f"{far_dir}/-f 'x'", mode=0o604) == len(data)
    found = transport.stat(f"{far_dir}/-f 'x'")
    assert (found.size, stat.S_IMODE(found.mode)) == (len(data), 0o604)
    assert transport.get(f"{far_dir}/-f 'x'", tmp_path / "down") == len(data)
    assert (tmp_path / "down").read_bytes() == data
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["down", "up"]


def test_missing_files(transport: Transport, far_dir: str, tmp_path: Path) -> None:
    missing = f"{far_dir}/no/such"
    (tmp_path / "f").write_bytes(b"x" * 100_000)
    for action in (
        lambda: transport.read(missing), lambda: transport.stat(missing),
        lambda: transport.listdir(missing), lambda: transport.remove(missing),
        lambda: transport.write(missing, b"x"), lambda: transport.get(missing, tmp_path / "d"),
        lambda: transport.put(tmp_path / "f", missing),
    ):
        with pytest.raises(FileMissing) as caught:
            action()
        assert caught.value.path == missing
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_directory_is_no_file(transport: Transport, far_dir: str, tmp_path: Path) -> None:
    for action in (
        lambda: transport.read(far_dir), lambda: transport.remove(far_dir),
        lambda: transport.get(far_dir, tmp_path / "d"),
    ):
        with pytest.raises(RemoteFileError):
            action()
    assert transport.run(["true"]).exit_code == 0


@pytest.mark.parametrize("path", ["relative", "", "/a\0b"])
def test_paths_that_cannot_be_meant(transport: Transport, path: str) -> None:
    with pytest.raises(ValueError):
        transport.read(path)


def test_a_closed_transport_runs_nothing(transport: Transport, far_dir: str) -> None:
    transport.close()
    transport.close()
    assert not transport.is_usable
    with pytest.raises(ConnectFailed):
        transport.run(["touch", f"{far_dir}/ran"])


@pytest.mark.lab
def test_what_the_user_may_not_read(ssh: SSHTransport, lab: object, tmp_path: Path) -> None:
    for action in (
        lambda: ssh.read("/etc/shadow"), lambda: ssh.write("/etc/centro-test", b"x"),
        lambda: ssh.get("/etc/shadow", tmp_path / "x"), lambda: ssh.listdir("/root"),
        lambda: ssh.run(["true"], cwd="/root"),
    ):
        with pytest.raises(FileForbidden):
            action()
