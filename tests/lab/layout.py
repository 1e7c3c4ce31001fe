"""Where a lab keeps its state, which ports and users it has: written once, read by every command."""

from __future__ import annotations

import json
import os
import pwd
import random
import secrets
import shutil
import socket
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tests.lab.errors import LabError

PREFIX = "centro-lab-"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PORT_NAMES = ("mariadb", "valkey", "sshd", "slurmctld", "slurmd", "slurmdbd")
# below the kernel's ephemeral range (32768 and up), so that no outgoing connection takes a port
# between two starts of the same server
PORT_RANGE = (20000, 32000)


@dataclass(frozen=True)
class LabSettings:
    """What a lab may be asked for; the defaults are what the tests expect."""

    users: tuple[str, ...] = ("test1", "test2", "test3", "test4")
    csh_users: tuple[str, ...] = ("test3",)
    cpus: int = 64
    memory_mb: int = 200_000
    min_job_age: int = 10
    max_sessions: int = 10  # OpenSSH's own default
    max_startups: str = "10:30:100"  # OpenSSH's own default
    slurm_extra: str = ""  # more lines for slurm.conf


@dataclass(frozen=True)
class Layout:
    """Paths, ports, users and passwords of one lab."""

    root: Path
    settings: LabSettings
    ports: dict[str, int]
    password: str = field(repr=False)

    @classmethod
    def create(cls, root: Path | None = None, settings: LabSettings | None = None) -> Layout:
        """Make a new lab folder (a fresh one under the temporary directory by default)."""
        settings = settings or LabSettings()
        if os.geteuid() != 0:
            # without root there is one account to log in to: the caller's own
            own = pwd.getpwuid(os.geteuid()).pw_name
            settings = replace(settings, users=(own,), csh_users=())
        if root is None:
            root = Path(tempfile.mkdtemp(prefix=PREFIX))
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o755)  # the servers' own users have to reach their folders in it
        layout = cls(root.resolve(), settings, free_ports(), secrets.token_urlsafe(12))
        if len(str(layout.munge_socket)) > 100:
            raise LabError(f"{root}: path too long for a Unix socket, choose a shorter folder")
        for name in ("etc", "log", "run", "ssh/keys", "work"):
            (layout.root / name).mkdir(parents=True, exist_ok=True)
        layout.state_file.touch(mode=0o600)
        layout.state_file.write_text(
            json.dumps(
                {
                    "settings": asdict(settings),
                    "ports": layout.ports,
                    "password": layout.password,
                }
            )
        )
        return layout

    @classmethod
    def load(cls, root: Path) -> Layout:
        """Read an existing lab's folder; LabError where there is none."""
        try:
            state = json.loads((root / "lab.json").read_text())
        except (OSError, ValueError) as error:
            raise LabError(f"no lab in {root}: {error}") from None
        settings = LabSettings(**state["settings"])
        settings = replace(  # JSON knows no tuples
            settings, users=tuple(settings.users), csh_users=tuple(settings.csh_users)
        )
        return cls(root.resolve(), settings, state["ports"], state["password"])

    @property
    def state_file(self) -> Path:
        return self.root / "lab.json"

    @property
    def as_root(self) -> bool:
        return os.geteuid() == 0

    @property
    def slurm_conf(self) -> Path:
        return self.root / "etc" / "slurm.conf"

    @property
    def munge_socket(self) -> Path:
        return self.root / "munge" / "munge.socket.2"

    @property
    def mariadb_socket(self) -> Path:
        return self.root / "run" / "mariadb" / "sock"

    @property
    def ssh_key(self) -> Path:
        return self.root / "ssh" / "id"

    @property
    def host_key(self) -> Path:
        return self.root / "ssh" / "host"

    @property
    def site_file(self) -> Path:
        return self.root / "site.yaml"

    def account(self, name: str) -> str:
        """The Unix account that a server runs as: its own as root, else the caller's."""
        return name if self.as_root else pwd.getpwuid(os.geteuid()).pw_name

    def own(self, path: Path, name: str) -> None:
        """Give a path to a server's account (nothing to do without root)."""
        if self.as_root:
            shutil.chown(path, name, pwd.getpwnam(name).pw_gid)

    def environment(self) -> dict[str, str]:
        """The environment for the lab's commands, Slurm's clients included."""
        inherited = {key: value for key, value in os.environ.items() if key != "TMPDIR"}
        return {  # a caller's own TMPDIR is often closed to the servers' accounts
            **inherited,
            "PATH": SEARCH_PATH,
            "SLURM_CONF": str(self.slurm_conf),
            "LC_ALL": "C.UTF-8",
        }


def free_ports(names: tuple[str, ...] = PORT_NAMES) -> dict[str, int]:
    """A free loopback port for each of these names."""
    found: dict[str, int] = {}
    candidates = random.SystemRandom().sample(range(*PORT_RANGE), 400)
    for name in names:
        while name not in found:
            if not candidates:
                raise LabError("no free port between {} and {}".format(*PORT_RANGE))
            port = candidates.pop()
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            found[name] = port
    return found


def existing() -> list[Path]:
    """Folders of the labs under the temporary directory, oldest first."""
    folders = Path(tempfile.gettempdir()).glob(f"{PREFIX}*/lab.json")
    return sorted((path.parent for path in folders), key=lambda path: path.stat().st_mtime)
