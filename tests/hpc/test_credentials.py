"""Keys, certificates and pinned host keys."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)

from hpc.errors import AuthenticationFailed, HostKeyMismatch
from hpc.transports.credentials import CertificateCredential, KeyCredential, NoCredential
from hpc.transports.hostkeys import PinnedKeys, parse_host_key

needs_keygen = pytest.mark.lab  # OpenSSH's client comes with the lab's packages

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINWh73JdX6D6UH1LH3Y5WvkPGzvwpN7Ww8NFh7wmaA9i"


def keygen(folder: Path, kind: str, passphrase: str = "", *more: str) -> Path:
    path = folder / f"{kind}-key"
    more = (*more, "-b", "2048") if kind == "rsa" else more
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path), *more], check=True
    )
    return path


@needs_keygen
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
@pytest.mark.parametrize("passphrase", ["", "open sesame"])
@pytest.mark.parametrize("form", [(), ("-m", "PEM")])
def test_keys_that_people_have(
    tmp_path: Path, kind: str, passphrase: str, form: tuple[str, ...]
) -> None:
    path = keygen(tmp_path, kind, passphrase, *form)
    key = KeyCredential("u", path.read_text(), passphrase or None).login_key()
    public = path.with_suffix(".pub").read_text().split()[1]
    assert key.get_base64() == public


@needs_keygen
def test_a_pkcs8_key(tmp_path: Path) -> None:
    path = keygen(tmp_path, "ed25519")
    key = load_ssh_private_key(path.read_bytes(), None)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert KeyCredential("u", text).login_key().get_base64() in path.with_suffix(".pub").read_text()


@needs_keygen
def test_windows_line_ends_and_blanks_do_no_harm(tmp_path: Path) -> None:
    text = keygen(tmp_path, "ed25519").read_text()
    KeyCredential("u", "\n  " + text.replace("\n", "\r\n") + "\n\n").login_key()


@pytest.mark.parametrize(
    ("text", "passphrase", "message"),
    [
        ("", None, "not an OpenSSH or PEM"),
        ("hello", None, "not an OpenSSH or PEM"),
        (KEY, None, "not an OpenSSH or PEM"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", None, "cannot"),
        ("hello", "word", "wrong passphrase"),
    ],
)
def test_texts_that_are_no_keys(text: str, passphrase: str | None, message: str) -> None:
    with pytest.raises(AuthenticationFailed, match=message):
        KeyCredential("u", text, passphrase).login_key()


@needs_keygen
def test_passphrases(tmp_path: Path) -> None:
    text = keygen(tmp_path, "ed25519", "right").read_text()
    with pytest.raises(AuthenticationFailed, match="passphrase"):
        KeyCredential("u", text).login_key()
    with pytest.raises(AuthenticationFailed, match="passphrase"):
        KeyCredential("u", text, "wrong").login_key()


@needs_keygen
def test_secrets_do_not_show(tmp_path: Path) -> None:
    text = keygen(tmp_path, "ed25519").read_text()
    secret = text.splitlines()[2]
    for credential in (KeyCredential("u", text, "word-of-pass"), CertificateCredential("u", text)):
        shown = f"{credential!r} {credential} {credential.fingerprint}"
        assert secret not in shown and "word-of-pass" not in shown
    with pytest.raises(AuthenticationFailed) as caught:
        KeyCredential("u", text.replace("BEGIN", "BEGUN")).login_key()
    assert secret not in str(caught.value)


def test_fingerprints_tell_credentials_apart() -> None:
    found = {
        c.fingerprint
        for c in (
            KeyCredential("u", "k"), KeyCredential("v", "k"), KeyCredential("u", "l"),
            KeyCredential("u", "k", "p"), CertificateCredential("u", "k"), NoCredential("u"),
        )
    }
    assert len(found) == 6


@needs_keygen
def test_each_certificate_is_new_and_short(tmp_path: Path) -> None:
    authority = keygen(tmp_path, "ed25519")
    credential = CertificateCredential("somebody", authority.read_text())
    first, second = credential.login_key(), credential.login_key()
    assert first.get_base64() != second.get_base64()
    (tmp_path / "cert.pub").write_text(
        f"{first.public_blob.key_type} {base64.b64encode(first.public_blob.key_blob).decode()}"
    )
    shown = subprocess.run(
        ["ssh-keygen", "-L", "-f", str(tmp_path / "cert.pub")], capture_output=True, text=True, check=True
    ).stdout
    assert 'Key ID: "centro:somebody"' in shown
    assert "user certificate" in shown
    assert "permit-" not in shown  # no forwarding, no terminal


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "expected"),
        ("ssh-ed25519", "expected"),
        ("ssh-dss AAAA", "not known"),
        ("ssh-ed25519 ???", "base64"),
        ("ssh-ed25519 AAAA", "does not hold"),
        (KEY.replace("ssh-ed25519 ", "ssh-rsa "), "does not hold"),
        ("[host]:22 " + KEY, "not known"),
    ],
)
def test_bad_host_keys_are_refused_with_what_was_expected(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_host_key(line)


def test_a_comment_behind_a_host_key_does_not_matter() -> None:
    assert parse_host_key(KEY + " root@somewhere") == parse_host_key(KEY)


def test_pinned_kinds_come_first() -> None:
    offered = ("rsa-sha2-512", "ecdsa-sha2-nistp256", "ssh-ed25519")
    assert PinnedKeys((KEY,)).preferred_algorithms(offered)[0] == "ssh-ed25519"
    assert set(PinnedKeys((KEY,)).preferred_algorithms(offered)) == set(offered)


@needs_keygen
def test_no_pinned_key_accepts_nothing(tmp_path: Path) -> None:
    shown = KeyCredential("u", keygen(tmp_path, "ed25519").read_text()).login_key()
    with pytest.raises(HostKeyMismatch, match="pinned are none"):
        PinnedKeys(()).verify(shown, "host")
