"""Webhooks reach the open Internet and nothing else: the table of forms that have fooled others."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipeline_management.models import Delivery
from pipeline_management.services.notifications import outgoing, webhooks
from pipeline_management.services.notifications.outgoing import Refused, Unreachable, post
from tests.pipeline_management.notifications.desk import Desk
from tests.pipeline_management.notifications.web_server import WebServer

PRIVATE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",  # noqa: S104  nothing is bound
    "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "2002:7f00:1::", "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "2001:db8::1", "fec0::1", "::127.0.0.1", "2001:0:0:0:0:0:80ff:fffe",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_known(address: str) -> None:
    assert not outgoing.is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_known(address: str) -> None:
    assert outgoing.is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "localhost",
        "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "0",
    ],
)  # fmt: skip
def test_no_way_of_writing_loopback_gets_through(host: str, web_server: WebServer) -> None:
    with pytest.raises((Refused, Unreachable)) as caught:
        post(f"https://{host}:{web_server.port}/", b"{}", {}, allow_private=False)
    if isinstance(caught.value, Unreachable):
        assert "cannot be resolved" in str(caught.value), "refused before anything was opened"
    assert web_server.calls == []


def test_http_needs_the_setting(web_server: WebServer) -> None:
    with pytest.raises(Refused, match="https://"):
        post(web_server.url(), b"{}", {}, allow_private=False)
    assert post(web_server.url(), b"{}", {}, allow_private=True).status == 200


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Make the resolver give these addresses, one list a question; returns the names it is asked for."""
    asked: list[str] = []
    queue = list(answers)
    real = socket.getaddrinfo

    def fake(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            asked.append(host)
            found = queue.pop(0) if len(queue) > 1 else queue[0]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]
        return real(host, port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", fake)
    return asked


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ["93.184.216.34", "127.0.0.1"])
    with pytest.raises(Refused, match=r"hooks.example.org is at 127.0.0.1, which is not a public"):
        post("https://hooks.example.org/", b"{}", {}, allow_private=False)


def test_a_name_that_changes_its_mind_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked once; the connection goes to the address that was checked."""
    asked = resolving(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    opened: list[Any] = []

    def open_nothing(address: Any, **_: Any) -> Any:
        opened.append(address)
        raise ConnectionRefusedError("not in a test")

    monkeypatch.setattr(socket, "create_connection", open_nothing)
    with pytest.raises(Unreachable):
        post("https://hooks.example.org/", b"{}", {}, allow_private=False)
    assert (asked, opened) == (["hooks.example.org"], [("93.184.216.34", 443)])


def test_redirects_are_not_followed(web_server: WebServer) -> None:
    inner = WebServer().start()
    try:
        web_server.status, web_server.location = 307, inner.url("/inner")
        assert post(web_server.url(), b"{}", {}, allow_private=True).status == 307
        assert inner.calls == [] and len(web_server.calls) == 1
    finally:
        inner.stop()


def test_a_proxy_of_the_environment_is_not_used(
    web_server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert post(web_server.url(), b"{}", {}, allow_private=True).status == 200


def test_a_silent_server_costs_five_seconds(
    web_server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "SECONDS", 1.0)
    web_server.pause = 4
    began = time.monotonic()
    with pytest.raises(Unreachable, match="No answer within 1 seconds"):
        post(web_server.url(), b"{}", {}, allow_private=True)
    assert time.monotonic() - began < 2


def test_a_dripping_server_costs_no_more(
    web_server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte a second never lets a time-out of single reads pass; its status counts all the same."""
    monkeypatch.setattr(outgoing, "SECONDS", 1.5)
    web_server.drip, web_server.text = True, b"x" * 20
    began = time.monotonic()
    assert post(web_server.url(), b"{}", {}, allow_private=True).status == 200
    assert time.monotonic() - began < 3


def test_a_long_answer_is_cut(web_server: WebServer) -> None:
    web_server.text = b"y" * 300_000
    assert (
        len(post(web_server.url(), b"{}", {}, allow_private=True).text) == outgoing.LONGEST_ANSWER
    )


@pytest.fixture
def tls_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A server for the name localhost, whose issuer is trusted here."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = WebServer().start(context)
    yield server
    server.stop()


def test_tls_is_checked_by_the_urls_name(
    tls_server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, ["127.0.0.1"])
    answer = post(tls_server.url("/a", "localhost", "https"), b"{}", {}, allow_private=True)
    assert (answer.status, answer.text) == (200, "thank you")
    assert tls_server.names == ["localhost"]
    assert tls_server.calls[0].headers["Host"] == f"localhost:{tls_server.port}"
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        post(tls_server.url("/b", "other.example.org", "https"), b"{}", {}, allow_private=True)
    assert len(tls_server.calls) == 1
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        post(tls_server.url("/c", "localhost", "https"), b"{}", {}, allow_private=True)


@pytest.mark.django_db
@pytest.mark.usefixtures("no_mail")
def test_a_refused_address_is_given_up_at_once(
    desk: Desk, web_server: WebServer, settings: Any
) -> None:
    """The setting was on when the webhook was made and is off now."""
    webhook, _ = webhooks.create(desk.lab, web_server.url(), ["failed"], user=desk.manager)
    settings.CENTRO_WEBHOOK_ALLOW_PRIVATE = False
    webhooks.send_test(webhook)
    desk.work()
    kept = Delivery.objects.get()
    assert (kept.state, kept.tries) == ("given_up", 1)
    assert "https://" in kept.error
    assert web_server.calls == []
