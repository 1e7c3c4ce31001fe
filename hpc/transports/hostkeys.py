"""Host keys pinned per system. A key that is not pinned is never accepted, and none is learnt."""

from __future__ import annotations

import base64
import binascii
import hashlib

import paramiko

from hpc.errors import HostKeyMismatch

_TYPES = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}


class PinnedKeys:
    """The keys that one host may show: several, for login nodes behind one name or a key change."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        """``lines`` as in a .pub file: "ssh-ed25519 AAAA… comment". Raises ``ValueError`` for a bad one."""
        self._keys: dict[bytes, str] = {}
        for line in lines:
            kind, blob = parse_host_key(line)
            self._keys[blob] = kind

    def preferred_algorithms(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """Our list of signature algorithms with those of the pinned keys first.

        The server then shows a pinned key when it has one; the rest stays, so that a wrong key can be
        named in the error.
        """
        wanted = [name for kind in self._keys.values() for name in _TYPES[kind]]
        first = [name for name in offered if name in wanted]
        return tuple(first + [name for name in offered if name not in wanted])

    def verify(self, shown: paramiko.PKey, where: str) -> None:
        """Raises ``HostKeyMismatch`` unless the key shown is one of the pinned ones."""
        if shown.asbytes() in self._keys:
            return
        pinned = ", ".join(f"{kind} {fingerprint(blob)}" for blob, kind in self._keys.items())
        raise HostKeyMismatch(
            f"{where} showed the host key {shown.get_name()} {fingerprint(shown.asbytes())}, pinned are "
            f"{pinned or 'none'}. Nothing was sent. Compare the fingerprint with the one that the system's "
            "administrators publish; only if it is theirs, add the key to the system's host_keys."
        )


def parse_host_key(line: str) -> tuple[str, bytes]:
    """The kind and the wire bytes of a public host key line. Raises ``ValueError`` with what was expected."""
    fields = line.split()
    expected = 'expected "type base64", for example "ssh-ed25519 AAAAC3…"'
    if len(fields) < 2:
        raise ValueError(f"host key {line[:60]!r}: {expected}")
    kind = fields[0]
    if kind not in _TYPES:
        raise ValueError(f"host key type {kind!r} is not known; known are {', '.join(_TYPES)}")
    try:
        blob = base64.b64decode(fields[1], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"host key {line[:60]!r} is not base64: {expected}") from error
    name = len(kind).to_bytes(4, "big") + kind.encode("ascii")
    if not blob.startswith(name) or len(blob) < len(name) + 8:
        raise ValueError(f"host key {line[:60]!r} does not hold a key of type {kind}: {expected}")
    return kind, blob


def fingerprint(blob: bytes) -> str:
    """As ssh-keygen prints it: "SHA256:…" without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")
