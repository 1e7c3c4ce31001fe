"""One running command of an SSH connection: its input fed and both outputs emptied by one thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import paramiko

from hpc.errors import CommandTimeout, OutputTooLarge
from hpc.transports.framing import Frame, FrameReader

CHUNK = 64 * 1024
FIRST_BYTE_TIMEOUT = 20.0


class Drain:
    """Feeds one channel and empties both of its streams, in one thread, so that neither blocks the other."""

    def __init__(
        self, channel: paramiko.Channel, readers: tuple[FrameReader, FrameReader], max_output: int
    ) -> None:
        self._channel = channel
        self._out, self._err = readers
        self._cap = max_output
        # Not the pipe of Channel.fileno(): closing it while the far side still sends lets paramiko's own thread
        # write to a descriptor that is closed, or by then another's, and the whole connection ends.
        self._news = threading.Event()
        channel.in_buffer.set_event(self._news)
        channel.in_stderr_buffer.set_event(self._news)

    def pump(
        self, framed: Frame, source: Iterator[bytes], deadline: float, kept: bool = False
    ) -> None:
        """Until both END lines came, or the far side closed. A ``kept`` shell does not end with the command.

        The end of input is sent only where the command has input: the far shell then waits for it.

        Raises ``CommandTimeout`` at ``deadline`` (or when no shell began within 20 s), ``OutputTooLarge``.
        """
        pending = memoryview(framed.head)
        sending = True
        first_byte = min(deadline, time.monotonic() + FIRST_BYTE_TIMEOUT)
        while not self._finished():
            moved = self._receive()
            if sending:
                if not pending:
                    pending = memoryview(next(source, b""))
                sent = self._send(pending, framed.has_stdin)
                moved = moved or bool(sent)
                if sent is None:
                    sending = False
                else:
                    pending = pending[sent:]
            if not moved and not self._over():
                self._wait(deadline if self._out.begun else first_byte, sending)
        if not kept:
            self._settle()

    def _finished(self) -> bool:
        return (self._out.end is not None and self._err.end is not None) or self._over()

    def _over(self) -> bool:
        channel = self._channel
        if channel.recv_ready() or channel.recv_stderr_ready():
            return False
        return (
            channel.closed or bool(channel.eof_received) or not channel.get_transport().is_active()
        )

    def _receive(self) -> bool:
        moved = False
        if self._channel.recv_ready():
            self._out.feed(self._channel.recv(CHUNK))
            moved = True
        if self._channel.recv_stderr_ready():
            self._err.feed(self._channel.recv_stderr(CHUNK))
            moved = True
        if 0 <= self._cap < self._out.size + self._err.size:
            raise OutputTooLarge(f"the command printed more than {self._cap} bytes")
        return moved

    def _send(self, data: memoryview, has_end: bool) -> int | None:
        """How many bytes went out; None when there is nothing more to send or nobody to take it."""
        channel = self._channel
        if channel.closed:
            return None
        if not data:
            if has_end:
                channel.shutdown_write()
            return None
        if not channel.send_ready():
            return 0
        try:
            return channel.send(bytes(data[:CHUNK])) or None
        except TimeoutError:
            return 0
        except OSError:  # the command ended without reading the rest; what it said decides
            return None

    def _wait(self, deadline: float, sending: bool) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            begun = (
                "the command did not end" if self._out.begun else "the login shell did not begin"
            )
            raise CommandTimeout(f"{begun} in time; its outcome is unknown")
        # a window that opens again makes no event, so a blocked writer looks every few milliseconds
        self._news.wait(min(left, 0.005 if sending else 1.0))

    def _settle(self) -> None:
        """Let the far shell end: the server frees the session only then."""
        until = time.monotonic() + 0.02
        while not (self._channel.eof_received or self._channel.closed) and time.monotonic() < until:
            self._news.wait(0.005)
