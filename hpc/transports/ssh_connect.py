"""Opening one SSH connection: socket, key exchange, host key, log-in, all within one deadline."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Iterator

import paramiko

from hpc.commands import MIB
from hpc.errors import AuthenticationFailed, ConnectFailed, HostKeyMismatch
from hpc.transports.base import Endpoint
from hpc.transports.credentials import CertificateCredential, Credential, KeyCredential
from hpc.transports.hostkeys import PinnedKeys
from hpc.transports.watchdog import WATCHDOG

CONNECT_TIMEOUT = 15.0
KEEPALIVE = 15
USER_TIMEOUT_MS = 30_000

# What paramiko logs as errors with tracebacks (a refused session, a server that went away) is raised by
# us as an error of its own class; the place of the logger lets a site see it all the same.
_LOG_CHANNEL = "hpc.paramiko"
logging.getLogger(_LOG_CHANNEL).setLevel(logging.CRITICAL)


def open_connection(
    endpoint: Endpoint,
    credential: Credential,
    *,
    window_mib: int = 1,
    timeout: float = CONNECT_TIMEOUT,
) -> tuple[paramiko.Transport, socket.socket]:
    """A connection that is logged in, and its socket.

    Raises ``ConnectFailed``, ``HostKeyMismatch`` or ``AuthenticationFailed``; no other exception for
    anything that the network or the server does. ``timeout`` bounds the whole, in seconds.
    """
    if not isinstance(credential, KeyCredential | CertificateCredential):
        raise AuthenticationFailed(f"{endpoint} needs a key or certificate credential to log in")
    deadline = time.monotonic() + timeout
    pinned = PinnedKeys(endpoint.host_keys)
    key = credential.login_key()
    where = f"{credential.username}@{endpoint}"
    sock = _open_socket(endpoint, deadline)
    connection: paramiko.Transport | None = None
    try:
        with _named_errors(where, timeout), WATCHDOG.guard(deadline, lambda: shut(sock)):
            connection = paramiko.Transport(sock, default_window_size=window_mib * MIB)
            connection.set_log_channel(_LOG_CHANNEL)
            _prepare(connection, pinned, deadline)
            connection.start_client(timeout=max(0.1, deadline - time.monotonic()))
            pinned.verify(connection.get_remote_server_key(), str(endpoint))
            connection.auth_timeout = max(0.1, deadline - time.monotonic())
            remaining = connection.auth_publickey(credential.username, key)
            if remaining or not connection.is_authenticated():
                raise AuthenticationFailed(
                    f"{where}: the key was taken but the system asks for more: {', '.join(remaining)}"
                )
            connection.set_keepalive(KEEPALIVE)
    except BaseException:
        shut(sock)
        if connection is not None:
            connection.close()
        sock.close()
        raise
    return connection, sock


def shut(sock: socket.socket) -> None:
    """End both directions at once; whoever waits on the connection wakes up. Never blocks."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _open_socket(endpoint: Endpoint, deadline: float) -> socket.socket:
    try:
        sock = socket.create_connection(
            (endpoint.host, endpoint.port), timeout=max(0.1, deadline - time.monotonic())
        )
    except OSError as error:
        raise ConnectFailed(f"{endpoint}: {error.strerror or error}") from error
    # Without TCP_NODELAY every exec waits for a delayed acknowledgement: 49 against 6 ms, measured.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    return sock


def _prepare(connection: paramiko.Transport, pinned: PinnedKeys, deadline: float) -> None:
    options = connection.get_security_options()
    ciphers = tuple(options.ciphers)
    # paramiko lists AES-GCM last, OpenSSH follows the client's order, and GCM costs half the CPU.
    fast = tuple(name for name in ciphers if "gcm" in name)
    options.ciphers = fast + tuple(name for name in ciphers if name not in fast)
    options.key_types = pinned.preferred_algorithms(tuple(options.key_types))
    left = max(0.1, deadline - time.monotonic())
    connection.banner_timeout = left
    connection.handshake_timeout = left


@contextlib.contextmanager
def _named_errors(where: str, timeout: float) -> Iterator[None]:
    started = time.monotonic()
    try:
        yield
    except (ConnectFailed, HostKeyMismatch):
        raise
    except paramiko.AuthenticationException as error:
        # paramiko uses this class for a silent or dying server as well
        if "timeout" in str(error).lower() or time.monotonic() - started >= timeout:
            raise ConnectFailed(
                f"{where}: no answer to the log-in within {timeout:.0f} s"
            ) from error
        raise AuthenticationFailed(
            f"{where}: the system refused the log-in ({error}). Check the user name, that the public key "
            "stands in the account's authorized_keys (or that the system trusts the certificate "
            "authority), and that the account is open."
        ) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        late = time.monotonic() - started >= timeout
        reason = (
            f"no answer within {timeout:.0f} s" if late else (str(error) or "connection closed")
        )
        raise ConnectFailed(f"{where}: {reason}") from error
