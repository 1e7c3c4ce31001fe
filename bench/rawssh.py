"""The limit: a bare command over one warm paramiko connection, with nothing of Centro in between."""

from __future__ import annotations

import socket
import time
from types import TracebackType
from typing import Self

import paramiko

from tests.lab.lab import Lab


class RawConnection:
    """One logged-in connection with TCP_NODELAY; every command is one exec request on a new channel."""

    def __init__(self, lab: Lab, user: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", lab.layout.ports["sshd"]), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = paramiko.Transport(self._socket)
        self._transport.start_client(timeout=10)
        self._transport.auth_publickey(
            user, paramiko.Ed25519Key.from_private_key_file(str(lab.layout.ssh_key))
        )

    def run(self, command: str, stdin: bytes = b"", timeout: float = 300.0) -> bytes:
        """stdout of a command; RuntimeError unless it ends with 0."""
        channel = self._transport.open_session(timeout=10)
        try:
            channel.settimeout(timeout)
            channel.exec_command(command)
            if stdin:
                channel.sendall(stdin)
            channel.shutdown_write()
            said = b"".join(iter(lambda: channel.recv(65536), b""))
            code = channel.recv_exit_status()
            if code != 0:
                raise RuntimeError(f"{command[:80]}: exit {code}: {channel.recv_stderr(2000)!r}")
            return said
        finally:
            channel.close()

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()
        self._socket.close()
        time.sleep(0.01)  # paramiko's thread still reads; the interpreter may be about to end

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
