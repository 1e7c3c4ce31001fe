"""An S3 store that checks signatures: SeaweedFS, master, volume, filer and S3 door in one process.

It takes three seconds to start, so the lab starts it only for those who ask (`lab.s3.start()`).
"""

from __future__ import annotations

import http.client
import json
import sys
from functools import cached_property
from pathlib import Path

from tests.lab.layout import free_ports
from tests.lab.process import Server

ACCESS_KEY = "centro-lab"
SECRET_KEY = "not-a-secret-of-anybody"
_PORTS = ("s3", "s3-grpc", "master", "master-grpc", "volume", "volume-grpc", "filer", "filer-grpc")


class S3(Server):
    """One bucket holder on loopback; a restart keeps its objects."""

    name = "s3"
    executables = frozenset({"weed"})

    @property
    def folder(self) -> Path:
        return self.layout.root / "s3"

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://127.0.0.1:{self.ports['s3']}"

    @cached_property
    def ports(self) -> dict[str, int]:
        """Chosen at the first start, then kept."""
        kept = self.folder / "ports.json"
        if not kept.exists():
            self.folder.mkdir(exist_ok=True)
            kept.write_text(json.dumps(free_ports(_PORTS)))
        found: dict[str, int] = json.loads(kept.read_text())
        return found

    def prepare(self) -> None:
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        identity = {
            "name": "centro",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (self.folder / "identities.json").write_text(json.dumps({"identities": [identity]}))

    def command(self) -> list[str]:
        ports = self.ports
        return [
            str(Path(sys.prefix) / "bin" / "weed"),
            "-logtostderr=true",
            "server",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-dir={self.folder / 'data'}",
            f"-master.port={ports['master']}",
            f"-master.port.grpc={ports['master-grpc']}",
            "-master.volumeSizeLimitMB=1024",
            "-master.telemetry=false",
            f"-volume.port={ports['volume']}",
            f"-volume.port.grpc={ports['volume-grpc']}",
            "-volume.max=30",
            "-volume.preStopSeconds=0",
            "-filer",
            f"-filer.port={ports['filer']}",
            f"-filer.port.grpc={ports['filer-grpc']}",
            "-s3",
            f"-s3.port={ports['s3']}",
            f"-s3.port.grpc={ports['s3-grpc']}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.config={self.folder / 'identities.json'}",
            "-s3.iam=false",
        ]

    def healthy(self) -> bool:
        """It answers, and refuses who has no key."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["s3"], timeout=2)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 403
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
