"""An OpenID Connect issuer on loopback: its keys, the address that publishes them, and tokens it makes."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "https://login.example.org/realms/hpc"
AUDIENCE = "centro"


class Issuer:
    """Counts in ``asked`` how often its keys were fetched. ``status``, ``answer`` and ``delay`` (seconds)
    change what it says. A POST gets ``exchange``, a status and a body; ``posted`` is what it brought."""

    def __init__(self) -> None:
        self.asked = 0
        self.status = 200
        self.answer: bytes | None = None
        self.exchange: tuple[int, bytes] = (400, b"{}")
        self.posted: list[dict[str, str]] = []
        self.delay = 0.0
        self.keys: dict[str, tuple[Any, dict[str, Any]]] = {}
        self.rotate("first")
        self.first = self.keys["first"]
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                time.sleep(issuer.delay)
                body = issuer.answer if issuer.answer is not None else issuer.document()
                self.send_response(issuer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                issuer.posted.append(dict(parse_qsl(body)))
                status, answer = issuer.exchange
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", answer.decode())
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments: Any) -> None:
                """Nothing: the tests look at ``asked``."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.base}/certs"

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def rotate(self, key_id: str, *, kind: str = "RSA", **changes: Any) -> None:
        """A new key beside the others; ``changes`` are made to what is published of it."""
        if kind == "EC":
            curve = ec.generate_private_key(ec.SECP256R1())
            self.add(key_id, curve, ECAlgorithm.to_jwk(curve.public_key(), as_dict=True) | changes)
        else:
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            jwk = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
            self.add(key_id, private, jwk | changes)

    def add(self, key_id: str, private: Any, jwk: dict[str, Any]) -> None:
        """Publish a key."""
        self.keys[key_id] = (private, {"use": "sig"} | jwk | {"kid": key_id})

    def withdraw(self, key_id: str) -> None:
        """Publish a key no longer."""
        del self.keys[key_id]

    def document(self) -> bytes:
        """The JWK set."""
        return json.dumps({"keys": [jwk for _, jwk in self.keys.values()]}).encode()

    def token(
        self,
        username: str = "alice",
        *,
        key_id: str = "first",
        algorithm: str = "RS256",
        signer: Any = None,
        header: dict[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """A token as Keycloak makes them; a claim that is given as None is left out."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": [AUDIENCE, "account"],
            "exp": now + 300,
            "iat": now,
            "azp": "workflow",
            "typ": "Bearer",
            "scope": "profile firecrest email",
            "preferred_username": username,
        } | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        key = self.keys[key_id][0] if signer is None else signer
        return jwt.encode(claims, key, algorithm, headers={"kid": key_id} | (header or {}))
