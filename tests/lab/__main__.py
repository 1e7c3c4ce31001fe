"""Command line of the lab: `python -m tests.lab COMMAND`; see docs/howto/lab.md."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab import packages
from tests.lab.errors import LabError
from tests.lab.layout import LabSettings, existing
from tests.lab.process import start_time

if TYPE_CHECKING:
    from tests.lab.lab import Lab


def find(folder: Path | None) -> Lab:
    """The lab of `--dir` or CENTRO_LAB_DIR, else the only one there is."""
    from tests.lab.lab import Lab

    if folder is not None:
        return Lab.at(folder)
    labs = existing()
    if len(labs) == 1:
        return Lab.at(labs[0])
    if not labs:
        raise LabError("there is no lab here; start one with `python -m tests.lab up`")
    listed = "\n  ".join(str(path) for path in labs)
    raise LabError(f"several labs exist: choose with --dir or CENTRO_LAB_DIR:\n  {listed}")


def exports(lab: Lab) -> str:
    """The lab's variables as shell lines."""
    return "\n".join(f"export {key}={shlex.quote(value)}" for key, value in lab.env().items())


def up(arguments: argparse.Namespace) -> None:
    """Start a lab and print its variables; what is said besides goes to stderr."""
    from tests.lab.lab import Lab

    settings = LabSettings(
        min_job_age=arguments.min_job_age,
        max_sessions=arguments.max_sessions,
        slurm_extra="\n".join(arguments.slurm),
    )
    began = time.monotonic()
    lab = Lab.up(arguments.dir, settings, arguments.owner)
    sys.stderr.write(f"lab is up in {time.monotonic() - began:.1f} s: {lab.layout.root}\n")
    print(exports(lab))


def status(arguments: argparse.Namespace) -> None:
    """Print each server with its pid and port."""
    lab = find(arguments.dir)
    print(lab.layout.root)
    for name, pid in lab.status().items():
        port = lab.layout.ports.get(name, "-")
        print(f"  {name:10} {'pid ' + str(pid) if pid else 'stopped':12} port {port}")


def guard(arguments: argparse.Namespace) -> None:
    """Wait for the end of another process, then take the lab down."""
    lab = find(arguments.dir)
    started = start_time(arguments.owner)
    while lab.layout.state_file.exists():
        if started is None or start_time(arguments.owner) != started:
            lab.down()
            return
        time.sleep(0.5)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    folder = os.environ.get("CENTRO_LAB_DIR")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--dir",
        type=Path,
        default=Path(folder) if folder else None,
        help="the lab's folder (default: CENTRO_LAB_DIR, else the only lab)",
    )
    main = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    commands = main.add_subparsers(dest="command", required=True)
    commands.add_parser("packages", help="install the Debian packages that are missing (root)")
    start = commands.add_parser("up", parents=[shared], help="start a lab, print its variables")
    start.add_argument("--owner", type=int, help="go down when the process of this id ends")
    start.add_argument(
        "--min-job-age",
        type=int,
        default=10,
        metavar="SECONDS",
        help="how long Slurm's queue remembers an ended job (default 10)",
    )
    start.add_argument(
        "--max-sessions",
        type=int,
        default=10,
        metavar="N",
        help="sshd's MaxSessions (default 10, as OpenSSH)",
    )
    start.add_argument(
        "--slurm",
        action="append",
        default=[],
        metavar="LINE",
        help="one more line for slurm.conf; may be repeated",
    )
    stop = commands.add_parser("down", parents=[shared], help="stop everything")
    stop.add_argument("--keep", action="store_true", help="leave the folder for a later `up`")
    commands.add_parser("status", parents=[shared], help="servers, pids and ports")
    commands.add_parser("env", parents=[shared], help="print the lab's variables as exports")
    watch = commands.add_parser("guard", parents=[shared], help="take the lab down after its owner")
    watch.add_argument("--owner", type=int, required=True)
    for name in ("start", "stop", "restart", "kill", "pause", "resume"):
        one = commands.add_parser(name, parents=[shared], help=f"{name} one server")
        one.add_argument("server")
    return main


def run(arguments: argparse.Namespace) -> None:
    """Carry out one command."""
    match arguments.command:
        case "packages":
            done = packages.install()
            print("installed: " + " ".join(done) if done else "all packages are there")
        case "up":
            up(arguments)
        case "down":
            find(arguments.dir).down(arguments.keep)
        case "status":
            status(arguments)
        case "env":
            print(exports(find(arguments.dir)))
        case "guard":
            guard(arguments)
        case verb:
            getattr(find(arguments.dir).server(arguments.server), verb)()


def main() -> int:
    """Entry point; 0 when done, 1 with one message on stderr otherwise."""
    try:
        run(parser().parse_args())
    except LabError as error:
        sys.stderr.write(f"lab: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
