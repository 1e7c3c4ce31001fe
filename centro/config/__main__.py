"""`python -m centro.config init|check|docs|get NAME|shell`: configuration without Django."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from centro.config import Config, ConfigError, load, secrets_file
from centro.config.reader import secrets_path
from centro.config.state import directory_fault


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the exit code. A bad configuration prints its faults and returns 2."""
    parser = argparse.ArgumentParser(prog="python -m centro.config", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("init", help="create secrets.json (mode 0600) if it does not exist")
    verbs.add_parser("check", help="read and validate; say every fault in one line")
    verbs.add_parser("docs", help="print docs/configuration.md")
    shell = verbs.add_parser(
        "shell", help="make the state directory, print what the start scripts need"
    )
    shell.add_argument(
        "--init", action="store_true", help="create secrets.json before, if it does not exist"
    )
    options = parser.parse_args(arguments)
    try:
        if options.verb == "init":
            path = secrets_path(os.environ)
            print(f"{'created' if secrets_file.create(path) else 'kept'} {path}")
            return 0
        if options.verb == "docs":
            from centro.config.reference import render

            print(render(), end="")
            return 0
        if options.verb == "shell" and options.init:
            secrets_file.create(secrets_path(os.environ))
        config = load()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{secrets_path(os.environ)}: cannot be written ({error.strerror})", file=sys.stderr)
        return 2
    if options.verb == "shell":
        if fault := directory_fault(config):
            print(fault, file=sys.stderr)
            return 2
        print(
            "\n".join(f"{key}={shlex.quote(value)}" for key, value in shell_values(config).items())
        )
    else:
        print("the configuration is valid")
    return 0


def shell_values(config: Config) -> dict[str, str]:
    """What the start scripts need to know, as text. Secrets are left out on purpose."""
    values: dict[str, str | int | Path] = {
        "centro_var": config.var,
        "centro_run_dir": config.run_dir,
        "centro_host": config.host,
        "centro_port": config.port,
        "centro_url": config.url,
        "centro_embedded_redis": "yes" if config.embedded_redis else "no",
        "centro_database": config.database.engine,
        "centro_site": config.site,
        "centro_web_processes": config.web_processes,
        "centro_web_threads": config.web_threads,
        "centro_worker_threads": config.worker_threads,
        "centro_log_level": config.log_level.lower(),
    }
    return {key: str(value) for key, value in values.items()}


if __name__ == "__main__":
    raise SystemExit(main())
