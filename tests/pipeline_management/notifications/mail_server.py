"""A small SMTP server (RFC 5321) that keeps what it is sent, on a free port of loopback."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from dataclasses import dataclass, field
from email.message import EmailMessage


@dataclass
class Letter:
    """One accepted mail: envelope and parsed text."""

    sender: str
    recipients: list[str]
    message: EmailMessage

    @property
    def text(self) -> str:
        return str(self.message.get_content()).replace("\r\n", "\n")


@dataclass
class MailServer:
    """``refusals`` are answers to RCPT by recipient; ``closed`` hangs up at once, as a dying server does."""

    letters: list[Letter] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    connections: int = 0
    closed: bool = False
    port: int = 0

    def start(self) -> MailServer:
        owner = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                owner.connections += 1
                if not owner.closed:
                    _talk(owner, self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Session, False)
        self._server.allow_reuse_address = True
        self._server.daemon_threads = True
        self._server.server_bind()
        self._server.server_activate()
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _talk(owner: MailServer, session: socketserver.StreamRequestHandler) -> None:
    def say(line: str) -> None:
        session.wfile.write(line.encode() + b"\r\n")

    say("220 test server")
    sender, recipients = "", []
    while line := session.rfile.readline().decode().rstrip("\r\n"):
        verb, _, rest = line.partition(" ")
        address = rest.partition("<")[2].partition(">")[0]
        if verb.upper() == "MAIL":
            sender, recipients = address, []
            say("250 ok")
        elif verb.upper() == "RCPT":
            refusal = owner.refusals.get(address, "")
            recipients += [] if refusal else [address]
            say(refusal or "250 ok")
        elif verb.upper() == "DATA":
            say("354 go on")
            data = b""
            while (part := session.rfile.readline()) not in (b".\r\n", b""):
                data += part.removeprefix(b".") if part.startswith(b"..") else part
            message = email.message_from_bytes(data, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            owner.letters.append(Letter(sender, recipients, message))
            say("250 kept")
        elif verb.upper() == "QUIT":
            say("221 bye")
            return
        else:
            say("250 ok")
