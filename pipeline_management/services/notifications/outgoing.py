"""One POST to an address that a person chose, without letting him reach what this machine reaches.

The name is resolved once, every address it has must be public, and the connection goes to one of those very
addresses: a name that means something else a moment later gains nothing. No redirects, no proxies.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

SECONDS = 5.0
"""For everything after the name is resolved: connection, TLS, request and answer."""
LONGEST_ANSWER = 64 * 1024
LONGEST_URL = 500
# NAT64 (RFC 6052): the last 32 bits are an IPv4 address, whatever the flags of the rest say.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# All that is routed in the Internet (RFC 4291, 2.4; IANA has given out nothing else). The flags of ipaddress
# call fec0::/10, once "site-local", global.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")


_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")


class Refused(Exception):
    """An address that must not be called; the message says which rule it breaks."""


class Unreachable(Exception):
    """Nobody answered, or not in time; the message says what happened."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The status code and the first ``LONGEST_ANSWER`` bytes of the body as text."""

    status: int
    text: str


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open Internet. IPv6 forms that carry an IPv4 address are
    judged by that one too."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if ip in _NAT64:
            inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        carried = [found for found in inner if found is not None]
        if carried:
            return all(is_public(str(found)) for found in carried)
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def checked(url: str, *, allow_private: bool) -> SplitResult:
    """The parts of an address that may be called, as far as it can be known without asking DNS.

    Raises ``Refused`` with a sentence for people.
    """
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise Refused(
            f"Give an address of at most {LONGEST_URL} ASCII characters, without spaces; "
            "others are percent-encoded."
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused(f"This is not an address: {error}.") from None
    schemes = ("https", "http") if allow_private else ("https",)
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise Refused(
            f"Give an address that begins with {' or '.join(s + '://' for s in schemes)}."
        )
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Refused("Give an address without user, password and fragment (#).")
    try:
        literal = str(ipaddress.ip_address(parts.hostname))
    except ValueError:
        if not _HOST.fullmatch(parts.hostname):
            raise Refused(f"{parts.hostname} is not the name of a host.") from None
        return parts
    if not allow_private and not is_public(literal):
        raise Refused(f"{parts.hostname} is not a public address.")
    return parts


def addresses_of(host: str, port: int, *, allow_private: bool) -> list[str]:
    """What the name means now. Raises ``Refused`` if any of it is not public, ``Unreachable`` if it is unknown."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"The name {host} cannot be resolved: {error}.") from error
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    for address in addresses:
        if not allow_private and not is_public(address):
            raise Refused(f"{host} is at {address}, which is not a public address.")
    return addresses


class _Connection(http.client.HTTPConnection):
    """To an address that was checked, while Host and the name in the certificate stay the URL's."""

    def __init__(self, parts: SplitResult, addresses: list[str]) -> None:
        self.default_port = 443 if parts.scheme == "https" else 80
        super().__init__(str(parts.hostname), parts.port or self.default_port, timeout=SECONDS)
        self._addresses = addresses
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._end = time.monotonic() + SECONDS
        self._raw: socket.socket | None = None
        self.ran_out = False

    def connect(self) -> None:
        self.sock = self._first_that_answers()
        self._raw = self.sock
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self._raw = self.sock
            self.sock.do_handshake()

    def _first_that_answers(self) -> socket.socket:
        failure: OSError = OSError("no address")
        for address in self._addresses:
            left = self._end - time.monotonic()
            if left <= 0:
                break
            try:
                return socket.create_connection((address, self.port), timeout=left)
            except OSError as error:
                failure = error
        raise failure

    def cut(self) -> None:
        """End every wait of the other thread; for a server that sends a byte now and then."""
        self.ran_out = True
        if self._raw is not None:
            try:
                # Not SSLSocket.shutdown, which would take the TLS object away under the reader.
                socket.socket.shutdown(self._raw, socket.SHUT_RDWR)
            except OSError:
                return  # it is closed already


def post(url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool) -> Answer:
    """Send one POST. Raises ``Refused`` or ``Unreachable``; every status code is an answer."""
    parts = checked(url, allow_private=allow_private)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = addresses_of(str(parts.hostname), port, allow_private=allow_private)
    connection = _Connection(parts, addresses)
    watch = threading.Timer(SECONDS, connection.cut)
    watch.daemon = True
    watch.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, _text(response))
    except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
        # ValueError and AttributeError: what reading from a socket that was cut may end in.
        if connection.ran_out or isinstance(error, TimeoutError):
            raise Unreachable(f"No answer within {SECONDS:.0f} seconds.") from error
        raise Unreachable(f"{type(error).__name__}: {error}") from error
    finally:
        watch.cancel()
        connection.close()


def _text(response: http.client.HTTPResponse) -> str:
    """As much of the body as came in time; the status code is what counts."""
    try:
        data = response.read(LONGEST_ANSWER)
    except http.client.IncompleteRead as error:
        data = error.partial
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        data = b""
    return data[:LONGEST_ANSWER].decode("utf-8", "replace")
