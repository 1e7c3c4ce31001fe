"""The commands of FirecREST's tutorial, run by a shell against a portal, with what came back.

    .venv/bin/python -m tests.firecrest.walkthrough

runs them on the lab of CENTRO_LAB_DIR and writes the recorded part of docs/firecrest.md anew.
tests/firecrest/test_walkthrough.py runs the same commands and compares them with that page.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.firecrest.portal import Portal, running, secret_of
from tests.lab.lab import Lab

PAGE = Path(__file__).resolve().parents[2] / "docs" / "firecrest.md"
BEGIN, END = "<!-- recorded: begin -->", "<!-- recorded: end -->"
WHO = "carol"  # test4 on the lab's only system that she knows, as in the tutorial
AUTH = ' \\\n     -H "Authorization: Bearer ${TOKEN}"'
MACHINE = ' \\\n     -H "X-Machine-Name: cluster"'
SCRIPT = """\
#!/bin/bash

#SBATCH --job-name=test
#SBATCH --output={home}/res.txt
#SBATCH --ntasks=1
#SBATCH --time=10:00

sleep 5
sha1sum {home}/input_file
"""
TOLD_HEADERS = re.compile(r"(http/|content-type:|x-(?!frame|content|request))", re.I)


@dataclass(frozen=True)
class Said:
    """One command and its answer: what the page tells, the command as typed, head (with -i) and body."""

    title: str
    command: str
    head: str
    body: str

    @property
    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)

    @property
    def shown(self) -> str:
        """The answer as the page prints it."""
        try:
            body = json.dumps(json.loads(self.body), indent=4, ensure_ascii=False)
        except ValueError:
            body = self.body.rstrip("\n")
        head = [line for line in self.head.split("\n") if TOLD_HEADERS.match(line)]
        return "\n".join([*head, "", body]) if head else body


class Shell:
    """A terminal of somebody who follows the tutorial."""

    def __init__(self, portal: Portal, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "FIRECREST_IP": portal.url,
            "TOKEN_URL": portal.token_url,
            "TOKEN": "none yet",
            "CLIENT_SECRET": secret_of(WHO),
        }

    def type(self, title: str, command: str) -> Said:
        """Run a command as it is printed."""
        answer = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            timeout=60,
            check=True,
        )
        text = answer.stdout.decode()
        head = ""
        if re.search(r"^\$?\s*curl -i", command):
            while text.startswith("HTTP/1.1 100") or not head:
                head, _, text = text.replace("\r\n", "\n").partition("\n\n")
        return Said(title, command, head, text)


def walk(portal: Portal, folder: Path) -> Iterator[Said]:
    """All commands in the tutorial's order; ``folder`` is where the person's own files lie."""
    shell, home = Shell(portal, folder), portal.home(WHO)
    (folder / "input_file").write_text("some input\n")
    (folder / "script.sh").write_text(SCRIPT.format(home=home))
    portal.write(WHO, home / "test_file.txt", "some text\n")
    (home / "test_directory").mkdir()
    portal.give(WHO, home / "test_directory")
    yield from _first_calls(shell, home)
    yield from _job(shell)
    yield from _results(shell, home)


def _first_calls(shell: Shell, home: Path) -> Iterator[Said]:
    said = shell.type(
        "Get a token",
        "curl -X POST ${TOKEN_URL} \\\n     -d grant_type=client_credentials \\\n"
        f'     -d client_id={WHO}-client \\\n     -d "client_secret=${{CLIENT_SECRET}}"',
    )
    yield said
    shell.environment["TOKEN"] = said.json["access_token"]
    yield shell.type(
        "A token that is none",
        'curl -X GET ${FIRECREST_IP}/status/systems \\\n     -H "Authorization: Bearer rubbish"',
    )
    yield shell.type("Test the credentials", "curl -X GET ${FIRECREST_IP}/status/systems" + AUTH)

    def listing(options: str, path: object) -> str:
        return (
            f'curl {options}-X GET "${{FIRECREST_IP}}/utilities/ls?targetPath={path}"'
            + AUTH
            + MACHINE
        )

    yield shell.type("List the contents of a directory", listing("", home))
    yield shell.type("A directory without the right to read it", listing("-i ", "/root"))
    yield shell.type("A directory that does not exist", listing("-i ", "/home/test23"))

    def upload(options: str, target: object) -> str:
        return (
            f'curl {options}-X POST "${{FIRECREST_IP}}/utilities/upload" \\\n     -F "targetPath={target}"'
            + AUTH + MACHINE + ' \\\n     -F "file=@input_file"'
        )  # fmt: skip

    yield shell.type("Upload a small file", upload("", home))
    yield shell.type("Upload to a wrong place", upload("-i ", f"{home}/nowhere"))


def _task(shell: Shell, title: str, task_id: str) -> Said:
    return shell.type(title, f'curl -X GET "${{FIRECREST_IP}}/tasks/{task_id}"' + AUTH)


def _job(shell: Shell) -> Iterator[Said]:
    submit = (
        'curl -X POST "${FIRECREST_IP}/compute/%s"'
        + AUTH
        + MACHINE
        + ' \\\n     -F "file=@script.sh"'
    )
    said = shell.type("Submit a job", submit % "jobs/upload")
    yield said
    said = _task(shell, "The task of the submission", said.json["task_id"])
    yield said
    job = said.json["task"]["data"]["jobid"]
    time.sleep(3)  # the job has begun
    one = f'curl -X GET "${{FIRECREST_IP}}/compute/jobs/{job}"' + AUTH + MACHINE
    said = shell.type("Ask for the job", one)
    yield said
    yield _task(shell, "What the scheduler says of the job", said.json["task_id"])
    gone = 'curl -X GET "${FIRECREST_IP}/compute/jobs/999999999"' + AUTH + MACHINE
    said = shell.type("Ask for a job that the scheduler does not know", gone)
    yield said
    yield _task(shell, "What the scheduler says of no job", said.json["task_id"])
    acct = 'curl -X GET "${FIRECREST_IP}/compute/acct"' + AUTH + MACHINE
    for _ in range(120):  # until the job is over
        said = shell.type("Accounting", acct)
        told = _task(shell, "What accounting says", said.json["task_id"])
        rows = told.json["task"]["data"] or []
        if any(row["jobid"] == str(job) and row["state"] == "COMPLETED" for row in rows):
            break
        time.sleep(0.5)
    yield said
    yield told


def _results(shell: Shell, home: Path) -> Iterator[Said]:
    yield shell.type(
        "Download the output",
        f'curl -X GET "${{FIRECREST_IP}}/utilities/download?sourcePath={home}/res.txt"'
        + AUTH
        + MACHINE,
    )
    yield shell.type("Compare", "sha1sum input_file")
    said = shell.type(
        "Transfer data between file systems",
        'curl -X POST "${FIRECREST_IP}/storage/xfer-internal/cp"' + AUTH
        + f' \\\n     -F "sourcePath={home}/res.txt" \\\n     -F "targetPath={home}/my_results.txt"',
    )  # fmt: skip
    yield said
    yield _task(shell, "The task of the transfer", said.json["task_id"])


def cleared(portal: Portal) -> None:
    """Remove what the tutorial leaves in the home."""
    for name in ("input_file", "res.txt", "my_results.txt", "test_file.txt"):
        (portal.home(WHO) / name).unlink(missing_ok=True)
    shutil.rmtree(portal.home(WHO) / "test_directory", ignore_errors=True)


def page_part(said: list[Said], portal: Portal) -> str:
    """The recorded part in Markdown, with the addresses and the token that anybody would see."""
    base = portal.stack.base_url
    parts = []
    for one in said:
        shown = re.sub(r"ey[\w-]{20,}\.[\w.-]+", "<token>", one.shown)
        shown = shown.replace(base, "http://localhost:8000")
        kind = "" if one.head else "json" if one.body.lstrip().startswith(("{", "[")) else ""
        parts.append(f"### {one.title}\n\n```sh\n{one.command}\n```\n\n```{kind}\n{shown}\n```\n")
    return "\n".join(parts)


def recorded() -> list[tuple[str, str, str]]:
    """Title, command and answer of each step of the page."""
    part = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    return re.findall(
        r"### (.*?)\n\n```sh\n(.*?)\n```\n\n```(?:json)?\n(.*?)\n```\n", part, re.DOTALL
    )


def main() -> int:
    """Run everything and write the page."""
    lab = Lab.at(Path(os.environ["CENTRO_LAB_DIR"]))
    with running(lab) as portal, tempfile.TemporaryDirectory() as folder:
        cleared(portal)
        try:
            part = page_part(list(walk(portal, Path(folder))), portal)
        finally:
            cleared(portal)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{part}{END}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
