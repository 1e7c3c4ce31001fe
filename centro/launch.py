"""What start.sh needs from Python: is the port free, is Centro ready, what to tell the operator."""

from __future__ import annotations

import argparse
import errno
import http.client
import json
import shlex
import socket
import sys
import time
import xmlrpc.client  # noqa: S411 (speaks to our own supervisor over a private socket)
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-untyped]  # ships no types

from centro.config import Config, ConfigError, load

HELLO = '{"pipeline": "hello", "name": "world"}'


def port_fault(host: str, port: int) -> str | None:
    """Why the web server could not listen there, as a sentence that says what to do; None if it can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except socket.gaierror:
        return f"{host} is not an address of this machine: choose another with --host"
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return (
                f"port {port} on {host} is in use: stop what uses it or choose another with --port"
            )
        if error.errno == errno.EACCES:
            return f"port {port} needs root: choose one above 1023 with --port"
        return f"cannot listen on {host} port {port} ({error.strerror}): choose others with --host and --port"
    return None


def probe(config: Config) -> tuple[bool, str]:
    """Ask /readyz once: (ready, what is missing)."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.host, config.host)  # noqa: S104 (compared, not bound)
    connection = http.client.HTTPConnection(host, config.port, timeout=5)
    try:
        connection.request(
            "GET", "/readyz", headers={"Host": urlsplit(config.url).hostname or "localhost"}
        )
        answer = json.load(connection.getresponse())
    except (OSError, http.client.HTTPException, ValueError):
        return False, "web server: does not answer yet"
    missing = [
        f"{name}: {part['detail']}" for name, part in answer["parts"].items() if not part["ok"]
    ]
    return not missing, ", ".join(missing)


def wait(config: Config, supervisor: int, seconds: float) -> str | None:
    """Wait until ready. None when it is, else what was missing when the supervisor ended or time ran out."""
    deadline = time.monotonic() + seconds
    while True:
        ready, missing = probe(config)
        if ready:
            return None
        if not Path(f"/proc/{supervisor}").exists():
            return "the supervisor ended"
        if given_up := _given_up(config):
            return f"{given_up} does not start"
        if time.monotonic() > deadline:
            return missing
        time.sleep(0.2)


def _given_up(config: Config) -> str:
    """Names of the processes that the supervisor no longer tries to start."""
    server = xmlrpc.client.ServerProxy(
        "http://127.0.0.1",
        transport=SupervisorTransport(None, None, f"unix://{config.run_dir}/supervisor.sock"),
    )
    try:
        states = cast("list[dict[str, object]]", server.supervisor.getAllProcessInfo())
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return ""  # not listening yet, or already stopping
    return ", ".join(str(state["name"]) for state in states if state["statename"] == "FATAL")


def login(config: Config) -> tuple[str, str]:
    """How to log in as administrator: (a sentence, curl's option). A new password is told this once."""
    first = config.run_dir / "first-login"
    kept = config.var / "admin-password"
    if first.is_file():
        password = first.read_text(encoding="utf-8").strip()
        first.unlink()
        place = f" (kept in {kept})" if kept.is_file() else ""
        option = f"--user {shlex.quote(f'admin:{password}')}"
        return f"Log in as admin, password {password}{place}", option
    if kept.is_file():
        option = f'--user "admin:$(cat {shlex.quote(str(kept))})"'
        return f"Log in as admin, password in {kept}", option
    return "Log in as admin, with the password chosen at the first start", "--user admin"


def banner(config: Config) -> str:
    """The closing lines of a start."""
    told, option = login(config)
    url = config.url
    return (
        f"Centro is ready at {url}\n"
        f"{told}\n"
        "Try a run:\n"
        f"  curl {option} --header 'Content-Type: application/json' -d '{HELLO}' {url}/api/v1/new-run/\n"
        "Ctrl-C stops everything."
    )


def main(arguments: list[str] | None = None) -> int:
    """Run one verb of start.sh; a fault is printed in one line and returns 1."""
    parser = argparse.ArgumentParser(prog="python -m centro.launch", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("port")
    waiting = verbs.add_parser("wait")
    waiting.add_argument("supervisor", type=int)
    waiting.add_argument("seconds", type=float)
    waiting.add_argument("report", type=Path, help="file for the list of what is missing")
    verbs.add_parser("login")
    verbs.add_parser("banner")
    options = parser.parse_args(arguments)
    fault: str | None = None
    try:
        config = load()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if options.verb == "port":
        fault = port_fault(config.host, config.port)
    elif options.verb == "wait":
        fault = wait(config, options.supervisor, options.seconds)
        options.report.write_text(fault or "", encoding="utf-8")
    else:
        print(banner(config) if options.verb == "banner" else login(config)[0])
    if fault:
        print(fault, file=sys.stderr)
    return 1 if fault else 0


if __name__ == "__main__":
    raise SystemExit(main())
