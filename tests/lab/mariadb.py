"""MariaDB with one database for Slurm's accounting and one for Centro."""

from __future__ import annotations

import subprocess

from tests.lab.errors import LabError
from tests.lab.process import Server, program

TEMPORARY = "mariadb-tmp"
"""Its own: a server that starts removes temporary tables from a folder that it shares with another lab's."""


class MariaDB(Server):
    """A private server: own data folder, TCP on loopback for Centro, a Unix socket for its root."""

    name = "mariadb"
    executables = frozenset({"mariadbd", "mysqld"})

    def user(self) -> str | None:
        return self.layout.account("mysql")

    @property
    def url(self) -> str:
        """Database URL of Centro's own database."""
        port = self.layout.ports["mariadb"]
        return f"mysql://centro:{self.layout.password}@127.0.0.1:{port}/centro"

    def prepare(self) -> None:
        data, temporary = self.layout.root / "mariadb", self.layout.root / TEMPORARY
        for folder in (data, temporary, self.layout.mariadb_socket.parent):
            folder.mkdir(exist_ok=True, mode=0o755)
            self.layout.own(folder, "mysql")
        if (data / "mysql").is_dir():
            return
        # --force: no complaint where the machine's own name does not resolve
        answer = subprocess.run(
            [
                program("mariadb-install-db"),
                "--no-defaults",
                "--force",
                "--skip-test-db",
                "--skip-name-resolve",
                f"--user={self.user()}",
                f"--datadir={data}",
                "--auth-root-authentication-method=socket",
                f"--auth-root-socket-user={self.layout.account('root')}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env=self.layout.environment() | {"TMPDIR": str(temporary)},
            cwd="/",
        )
        if answer.returncode != 0:
            raise LabError(f"mariadb-install-db failed:\n{answer.stdout}")

    def command(self) -> list[str]:
        socket = self.layout.mariadb_socket
        return [
            program("mariadbd"),
            "--no-defaults",
            f"--datadir={self.layout.root / 'mariadb'}",
            f"--socket={socket}",
            f"--pid-file={socket.parent / 'pid'}",
            "--bind-address=127.0.0.1",
            f"--port={self.layout.ports['mariadb']}",
            f"--tmpdir={self.layout.root / TEMPORARY}",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--max-connections=300",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
            # a commit survives a kill of the server, though not a loss of power: a temporary
            # machine's disk needs 10 ms for each fsync, which no test is about
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-flush-method=nosync",
            "--debug-no-sync",
            "--innodb-buffer-pool-size=256M",
            "--innodb-log-file-size=64M",
        ]

    def healthy(self) -> bool:
        return self._client("SELECT 1").returncode == 0

    def finish(self) -> None:
        secret = self.layout.password  # url-safe letters only: no quoting needed
        self.sql(f"""
            CREATE DATABASE IF NOT EXISTS slurm_acct;
            CREATE USER IF NOT EXISTS slurm@'127.0.0.1' IDENTIFIED BY '{secret}';
            GRANT ALL ON slurm_acct.* TO slurm@'127.0.0.1';
            CREATE DATABASE IF NOT EXISTS centro CHARACTER SET utf8mb4;
            CREATE USER IF NOT EXISTS centro@'127.0.0.1' IDENTIFIED BY '{secret}';
            GRANT ALL ON centro.* TO centro@'127.0.0.1';
            GRANT ALL ON `centro\\_%`.* TO centro@'127.0.0.1';
            GRANT ALL ON `test\\_%`.* TO centro@'127.0.0.1';
            GRANT PROCESS ON *.* TO centro@'127.0.0.1';
        """)

    def sql(self, statement: str) -> str:
        """Run SQL as the server's root; returns tab-separated rows, LabError on an error."""
        answer = self._client(statement)
        if answer.returncode != 0:
            raise LabError(f"mariadb: {answer.stderr.strip()}")
        return answer.stdout

    def dump(self, database: str) -> str:
        """SQL that makes a database's tables with their rows again; LabError on an error."""
        answer = self._program("mariadb-dump", "--skip-dump-date", database)
        if answer.returncode != 0:
            raise LabError(f"mariadb-dump: {answer.stderr.strip()}")
        return answer.stdout

    def _client(self, statement: str) -> subprocess.CompletedProcess[str]:
        options = ("--batch", "--skip-column-names", "--connect-timeout=5")
        return self._program("mariadb", *options, text=statement)

    def _program(
        self, name: str, *arguments: str, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                program(name),
                "--no-defaults",
                f"--socket={self.layout.mariadb_socket}",
                f"--user={self.layout.account('root')}",
                *arguments,
            ],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            env=self.layout.environment(),
        )
