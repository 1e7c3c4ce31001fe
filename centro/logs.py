"""One line per event, secrets taken out, control characters made visible.

The format is logfmt: `time=… level=… logger=… request=… msg="…"`, a traceback follows as `trace="…"`
with its line ends escaped, so that no input can forge a second log line.
"""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime

request_id: ContextVar[str] = ContextVar("request_id", default="")

HIDDEN = "[hidden]"
# Each pattern keeps its first group and replaces what follows.
_SECRETS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        # Authorization: Basic dXNlcjpwdw==   and the dict form {'Authorization': 'Bearer …'}
        r"((?:proxy-)?authorization['\"]?\s*[:=]\s*['\"]?(?:(?:basic|bearer|token|negotiate)\s+)?)[^\s'\",}]+",
        r"(\b(?:basic|bearer)\s+)[A-Za-z0-9+/_.~-]{8,}=*",
        # password=… "token": "…" secret_key: … api-key=…  (also as the end of a longer word)
        r"((?:password|passwd|passphrase|secret|token|api[_-]?key|secret_key|private_key|encryption_keys?"
        r"|sessionid|csrftoken)['\"]?\s*[:=]\s*)(?:'[^']*'|\"(?:\\.|[^\"\\])*\"|\[[^\]]*\]|[^\s,;&}\]]+)",
        # scheme://user:password@host
        r"([a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)",
        # curl --user name:password
        r"((?:--user|-u)[\s=]+['\"]?[^\s:'\"]+:)[^\s'\"]+",
        # a JSON Web Token, wherever it stands; its first part says how it is signed
        r"(\beyJ[\w-]+\.)[\w-]+\.[\w-]*",
        r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    )
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def redact(text: str) -> str:
    """Replace passwords, tokens, keys and Authorization values by `[hidden]`."""
    for pattern in _SECRETS:
        text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    return text


def escape(text: str) -> str:
    """Make control characters and direction overrides visible, so a line stays one line."""
    return _CONTROL.sub(lambda m: _SHORT.get(m[0]) or f"\\x{ord(m[0]):02x}", text)


def _quote(text: str) -> str:
    return '"' + escape(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


class LineFormatter(logging.Formatter):
    """Formats a record as one redacted logfmt line, time in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without a line end."""
        moment = datetime.fromtimestamp(record.created, tz=UTC)
        parts = [
            f"time={moment.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}",
            f"level={record.levelname.lower()}",
            f"logger={record.name}",
        ]
        if current := request_id.get():
            parts.append(f"request={current}")
        parts.append(f"msg={_quote(redact(record.getMessage()))}")
        if record.exc_info:
            parts.append(f"trace={_quote(redact(self.formatException(record.exc_info)))}")
        return " ".join(parts)
