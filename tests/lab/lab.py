"""The lab as one object: all servers, brought up and down together."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

from tests.lab import packages, sitefile, slurm
from tests.lab.errors import LabError
from tests.lab.layout import LabSettings, Layout
from tests.lab.mariadb import MariaDB
from tests.lab.process import Server, end_all
from tests.lab.s3 import S3
from tests.lab.sshd import Sshd
from tests.lab.valkey import Valkey


class Lab:
    """MariaDB, Valkey, sshd and Slurm of one folder.

    `Lab.up()` makes and starts a new one; `Lab.at(folder)` finds one that exists. The servers are
    attributes (`lab.mariadb`, `lab.slurmctld`, …) with start, stop, kill, restart, pause, resume.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.munge = slurm.Munge(layout)
        self.mariadb = MariaDB(layout)
        self.valkey = Valkey(layout)
        self.sshd = Sshd(layout)
        self.slurmdbd = slurm.Slurmdbd(layout)
        self.slurmctld = slurm.Slurmctld(layout)
        self.slurmd = slurm.Slurmd(layout)
        # in the order of starting; stopped in the reverse one
        self.servers: tuple[Server, ...] = (
            self.munge,
            self.valkey,
            self.sshd,
            self.mariadb,
            self.slurmdbd,
            self.slurmctld,
            self.slurmd,
        )
        self.s3 = S3(layout)
        """Started only by those who need it."""

    @classmethod
    def up(
        cls, root: Path | None = None, settings: LabSettings | None = None, owner: int | None = None
    ) -> Lab:
        """Start a lab: a new one (in `root` or a fresh folder), or the stopped one of `root`.

        With `owner`, a process id, the lab goes down by itself when that process ends. Takes about
        six seconds. Raises LabError, with everything stopped again, when a server does not come up.
        """
        if lacking := packages.missing_servers():
            raise LabError(
                "not installed: "
                + " ".join(lacking)
                + "; run `python -m tests.lab packages` as root"
            )
        known = root is not None and (root / "lab.json").exists()
        layout = Layout.load(root) if root and known else Layout.create(root, settings)
        lab = cls(layout)
        try:
            lab.start()
            if owner is not None:
                lab.guard(owner)
        except BaseException:
            lab.down(keep=known)
            raise
        return lab

    @classmethod
    def at(cls, root: Path) -> Lab:
        """The lab of a folder; LabError where there is none."""
        return cls(Layout.load(root))

    def start(self) -> None:
        """Start every server that does not run, then write the site file."""
        for server in self.servers:
            server.start()
        self._make_work_folders()
        self.layout.site_file.touch(mode=0o600)
        self.layout.site_file.write_text(sitefile.render(self))

    def mend(self) -> None:
        """Start the servers that have ended: slurmdbd gives up by itself when its database is away for long."""
        for server in self.servers:
            if server.pid is None:
                server.start()

    def down(self, keep: bool = False) -> None:
        """Cancel all jobs, stop every server and remove the folder (`keep=True` leaves it)."""
        if self.slurmctld.pid is not None:
            for frozen in (self.slurmctld, self.slurmd):
                if frozen.pid is not None:
                    frozen.resume()
            slurm.drain(self.layout)
        for server in (self.s3, *reversed(self.servers)):
            server.stop()
        end_all(self.leftovers())
        if not keep:
            shutil.rmtree(self.layout.root, ignore_errors=True)

    def server(self, name: str) -> Server:
        """A server by its name; LabError naming those that exist."""
        everyone = (*self.servers, self.s3)
        for server in everyone:
            if server.name == name:
                return server
        names = ", ".join(server.name for server in everyone)
        raise LabError(f"no server is called {name!r}; there are: {names}")

    def status(self) -> dict[str, int | None]:
        """The pid of each server, None where it does not run."""
        return {server.name: server.pid for server in self.servers}

    def env(self) -> dict[str, str]:
        """What a test, a bench or a person has to know to use the lab."""
        return {
            "CENTRO_LAB_DIR": str(self.layout.root),
            "CENTRO_LAB_SSH_PORT": str(self.layout.ports["sshd"]),
            "CENTRO_LAB_SSH_KEY": str(self.layout.ssh_key),
            "CENTRO_LAB_HOST_KEY": self.sshd.host_key_line(),
            "CENTRO_LAB_USERS": " ".join(self.layout.settings.users),
            "CENTRO_LAB_DATABASE_URL": self.mariadb.url,
            "CENTRO_LAB_REDIS_URL": self.valkey.url,
            "SLURM_CONF": str(self.layout.slurm_conf),
        }

    def slurm(self, *command: str) -> str:
        """Run a Slurm command as the lab's owner; returns stdout, LabError on an error."""
        answer = slurm.ask(self.layout, *command)
        if answer.returncode != 0:
            raise LabError(f"{' '.join(command)}: {answer.stderr.strip()}")
        return answer.stdout

    def expire(self, job_id: str, seconds: int = 1) -> None:
        """Let a running job exceed its time limit soon, for a real TIMEOUT without the wait.

        A limit counts in whole minutes (`--time=0:10` becomes one minute) and slurmctld looks for
        expired jobs every 30 s, so a job's own limit takes 60 to 90 s. Its end time can be moved to
        the second, which leaves 0 to 30 s (measured with Slurm 22.05.8: 17 s).
        """
        end = datetime.now() + timedelta(seconds=seconds)  # slurmctld reads it as local time
        self.slurm("scontrol", "update", f"jobid={job_id}", f"EndTime={end:%Y-%m-%dT%H:%M:%S}")

    def leftovers(self) -> list[int]:
        """Processes of the lab that no server's pid file knows: job steps and login sessions."""
        marker = f"CENTRO_LAB_SESSION={self.layout.root}".encode()
        configuration = str(self.layout.slurm_conf).encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                session = marker in (entry / "environ").read_bytes().split(b"\0")
                executable = Path(os.readlink(entry / "exe")).name
                step = executable.startswith("slurmstepd") and (
                    b"SLURM_CONF=" + configuration in (entry / "environ").read_bytes()
                )
            except OSError:
                continue
            if session or step:
                found.append(int(entry.name))
        return found

    def guard(self, owner: int) -> None:
        """Leave a small process behind that takes the lab down when `owner` has ended."""
        with (self.layout.root / "log" / "guard.log").open("ab") as log:
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.lab",
                    "guard",
                    "--dir",
                    str(self.layout.root),
                    "--owner",
                    str(owner),
                ],
                cwd=Path(__file__).resolve().parents[2],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _make_work_folders(self) -> None:
        for user in self.layout.settings.users:
            folder = self.layout.root / "work" / user
            folder.mkdir(exist_ok=True)
            if self.layout.as_root:
                shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)
            folder.chmod(0o700)
