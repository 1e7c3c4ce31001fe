"""A real OpenSSH server on loopback: keys only, several unprivileged users, its own host key."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path

from tests.lab.errors import LabError
from tests.lab.process import Server, program


def make_key(path: Path) -> None:
    """An ed25519 key pair without passphrase, unless it exists."""
    if not path.exists():
        subprocess.run(
            [
                program("ssh-keygen"),
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                "centro-lab",
                "-f",
                str(path),
            ],
            check=True,
            stdin=subprocess.DEVNULL,
        )


class Sshd(Server):
    """Stopping it also cuts the open connections, as a reboot of the login node would."""

    name = "sshd"
    executables = frozenset({"sshd", "sshd-session"})

    def host_key_line(self) -> str:
        """The public host key as `ssh-ed25519 AAAA…`, for pinning."""
        text = self.layout.host_key.with_suffix(".pub").read_text()
        return " ".join(text.split()[:2])

    def prepare(self) -> None:
        make_key(self.layout.host_key)
        make_key(self.layout.ssh_key)
        for user in self.layout.settings.users:
            if self.layout.as_root:
                self._make_user(user)
            keys = self.layout.root / "ssh" / "keys" / user
            if not keys.exists():
                shutil.copyfile(self.layout.ssh_key.with_suffix(".pub"), keys)
                keys.chmod(0o644)
        if self.layout.as_root:
            Path("/run/sshd").mkdir(exist_ok=True)  # compiled-in folder of privilege separation
        self._config_file.write_text(self._config())

    def command(self) -> list[str]:
        return [program("sshd"), "-D", "-e", "-f", str(self._config_file)]

    def healthy(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.layout.ports["sshd"]), 5) as peer:
                return peer.recv(8).startswith(b"SSH-2.0")
        except OSError:
            return False

    def client(self, user: str) -> list[str]:
        """The `ssh` command line that logs in as a user, host key checked."""
        known = self.layout.root / "ssh" / "known_hosts"
        port = self.layout.ports["sshd"]
        known.write_text(f"[127.0.0.1]:{port} {self.host_key_line()}\n")
        return [
            "ssh",
            "-F",
            "none",
            "-p",
            str(port),
            "-i",
            str(self.layout.ssh_key),
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            f"UserKnownHostsFile={known}",
            f"{user}@127.0.0.1",
        ]

    def run(self, user: str, command: str, timeout: float = 60.0) -> str:
        """Run a shell command as a user over ssh; returns stdout, LabError on a non-zero exit."""
        answer = subprocess.run(
            [*self.client(user), command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if answer.returncode != 0:
            raise LabError(f"{user}: `{command}` exit {answer.returncode}: {answer.stderr}")
        return answer.stdout

    @property
    def _config_file(self) -> Path:
        return self.layout.root / "etc" / "sshd_config"

    def _config(self) -> str:
        root, settings = self.layout.root, self.layout.settings
        return f"""\
Port {self.layout.ports["sshd"]}
ListenAddress 127.0.0.1
HostKey {self.layout.host_key}
PidFile {root}/run/sshd.own.pid
AuthorizedKeysFile {root}/ssh/keys/%u
# the keys lie below /tmp, which others may write to
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
AllowUsers {" ".join(settings.users)}
MaxSessions {settings.max_sessions}
MaxStartups {settings.max_startups}
SetEnv SLURM_CONF={self.layout.slurm_conf} CENTRO_LAB_SESSION={root}
Subsystem sftp internal-sftp
"""

    def _make_user(self, name: str) -> None:
        shell = "/bin/tcsh" if name in self.layout.settings.csh_users else "/bin/bash"
        try:
            record = pwd.getpwnam(name)
        except KeyError:
            self._admin("useradd", "--create-home", "--shell", shell, name)
            # "!" would count as locked, and sshd without PAM turns locked accounts away
            self._admin("usermod", "--password", "*", name)
            return
        if record.pw_uid < 1000:
            raise LabError(f"user {name} exists and is a system account: choose another name")
        if record.pw_shell != shell:
            self._admin("usermod", "--shell", shell, name)

    @staticmethod
    def _admin(*command: str) -> None:
        answer = subprocess.run(
            [program(command[0]), *command[1:]],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
        # exit 9 of useradd: the name was taken meanwhile, by another lab that starts now
        if answer.returncode not in (0, 9):
            raise LabError(f"{' '.join(command)}: {answer.stderr.strip()}")
