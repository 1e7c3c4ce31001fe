"""Log lines: secrets hidden, one line per event, nothing forged by input."""

from __future__ import annotations

import base64
import logging
import sys

import pytest

from centro.logs import HIDDEN, LineFormatter, escape, redact, request_id

CREDENTIAL = base64.b64encode(b"alice:hunter2hunter2").decode()
PEM = "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\nhunter2\n-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer hunter2",
        "authorization: basic hunter2=",
        "{'Authorization': 'Token hunter2'}",
        '"HTTP_AUTHORIZATION": "hunter2"',
        "Proxy-Authorization: hunter2",
        "got Bearer hunter2hunter2 from the client",
        "issued eyJhbGciOiJFUzI1NiJ9.hunter2hunter2.hunter2-_ just now",
        "client_secret=hunter2",
        "password=hunter2",
        "password: 'hunter2 with blanks'",
        '{"password": "hun\\"ter2 hunter2"}',
        '{"db_password":"hunter2","x":1}',
        "CENTRO_ADMIN_PASSWORD=hunter2",
        "passphrase = hunter2",
        "api_key=hunter2&x=1",
        "token=hunter2",
        "client_secret: hunter2",
        "encryption_keys: ['hunter2', 'hunter2']",
        "Cookie: sessionid=hunter2; csrftoken=hunter2",
        "mysql://centro:hunter2@db:3306/centro",
        "redis://:hunter2@127.0.0.1/0",
        "curl --user alice:hunter2 http://x/",
        "curl -u 'alice:hunter2' http://x/",
        f"key {PEM} end",
        PEM.replace("\n", "\\n"),
        "-----BEGIN RSA PRIVATE KEY----- hunter2 cut off",
    ],
)
def test_secret_is_hidden(text: str) -> None:
    shown = redact(text)
    assert "hunter2" not in shown
    assert HIDDEN in shown


def test_basic_credential_is_hidden() -> None:
    assert CREDENTIAL not in redact(f"headers: Basic {CREDENTIAL} x")


@pytest.mark.parametrize(
    "text",
    [
        "run 5f0c queued -> submitting",
        "GET /api/v1/runs/?state=failed",
        "password of alice was changed",
        "http://127.0.0.1:8000/x@y",
        "sbatch --user-name alice",
        "the basic idea",
    ],
)
def test_ordinary_text_is_kept(text: str) -> None:
    assert redact(text) == text


def test_neighbours_of_a_secret_are_kept() -> None:
    assert redact("mysql://centro:pw@db:3306/x") == f"mysql://centro:{HIDDEN}@db:3306/x"
    assert redact('{"password": "a", "name": "b"}') == f'{{"password": {HIDDEN}, "name": "b"}}'


def line(message: str, *arguments: object, exc_info: bool = False) -> str:
    info = sys.exc_info() if exc_info else None
    record = logging.LogRecord("a.b", logging.WARNING, "f.py", 1, message, arguments, info)
    record.created = 1_700_000_000.25
    return LineFormatter().format(record)


def test_line_has_time_level_logger_and_message() -> None:
    assert line("hello %s", "world") == (
        'time=2023-11-14T22:13:20.250Z level=warning logger=a.b msg="hello world"'
    )


def test_request_id_is_in_the_line() -> None:
    token = request_id.set("abc12345")
    try:
        assert "request=abc12345 msg=" in line("x")
    finally:
        request_id.reset(token)


@pytest.mark.parametrize("nasty", ["\n", "\r\n", "\x1b", "\x00", "\u2028", "\u202e", "\x85", "\x9b"])
def test_input_cannot_forge_a_line_or_drive_a_terminal(nasty: str) -> None:
    text = line("name %s", f"a{nasty}time=2000 level=error")
    assert not any(character in text for character in nasty)
    assert len(text.splitlines()) == 1


def test_quotes_and_backslashes_stay_inside_the_message() -> None:
    assert line('say "x" \\ y').endswith('msg="say \\"x\\" \\\\ y"')


def test_traceback_is_in_the_same_line_and_redacted() -> None:
    try:
        raise ValueError("password=hunter2")
    except ValueError:
        text = line("failed", exc_info=True)
    assert "hunter2" not in text
    assert "\n" not in text
    assert 'trace="Traceback' in text


def test_escape_shows_what_was_there() -> None:
    assert escape("a\nb\x1bc") == "a\\nb\\x1bc"
