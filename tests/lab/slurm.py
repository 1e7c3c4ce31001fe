"""A single-node Slurm 22.05: munge, slurmdbd, slurmctld and slurmd, all state in the lab's folder."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from tests.lab.errors import LabError
from tests.lab.layout import Layout
from tests.lab.process import Server, program, wait_until

CLUSTER = "centro"
ACCOUNTS = ("acct1", "acct2")


def host_name() -> str:
    """The short host name; slurmctld refuses to start where slurm.conf says another."""
    return socket.gethostname().partition(".")[0]


def ask(layout: Layout, *command: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run one of Slurm's commands as the lab's owner."""
    return subprocess.run(
        [program(command[0]), *command[1:]],
        env=layout.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


class Munge(Server):
    """The authentication service between Slurm's parts, with a key of its own."""

    name = "munge"
    executables = frozenset({"munged"})

    @property
    def folder(self) -> Path:
        return self.layout.root / "munge"

    def user(self) -> str | None:
        return self.layout.account("munge")

    def prepare(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        self.layout.own(self.folder, "munge")
        key = self.folder / "key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_bytes(os.urandom(1024))
            key.chmod(0o400)
            self.layout.own(key, "munge")

    def command(self) -> list[str]:
        # --force: the folder lies below /tmp, which is writable for others
        return [
            program("munged"),
            "--foreground",
            "--force",
            f"--key-file={self.folder / 'key'}",
            f"--socket={self.layout.munge_socket}",
            f"--pid-file={self.folder / 'pid'}",
            f"--log-file={self.folder / 'munged.log'}",
            f"--seed-file={self.folder / 'seed'}",
        ]

    def healthy(self) -> bool:
        return ask(self.layout, "munge", "-n", "-S", str(self.layout.munge_socket)).returncode == 0


class SlurmDaemon(Server):
    """What the three Slurm daemons share: the configuration files."""

    def prepare(self) -> None:
        write_configuration(self.layout)


class Slurmdbd(SlurmDaemon):
    """The accounting daemon, on the lab's MariaDB."""

    name = "slurmdbd"
    executables = frozenset({"slurmdbd"})

    def command(self) -> list[str]:
        return [program("slurmdbd"), "-D", "-n", "0"]

    def healthy(self) -> bool:
        return ask(self.layout, "sacctmgr", "-n", "show", "cluster").returncode == 0

    def finish(self) -> None:
        """Cluster, accounts and users; those that exist stay as they are."""
        known = ask(self.layout, "sacctmgr", "-n", "-P", "show", "assoc", "format=user").stdout
        if set(self.layout.settings.users) <= set(known.split()):
            return
        # sacctmgr exits 1 where there is nothing new to add
        ask(self.layout, "sacctmgr", "-i", "add", "cluster", CLUSTER)
        ask(self.layout, "sacctmgr", "-i", "add", "account", *ACCOUNTS)
        users = ",".join(self.layout.settings.users)
        for account in ACCOUNTS:  # the first becomes the default account
            answer = ask(self.layout, "sacctmgr", "-i", "add", "user", users, f"account={account}")
            if answer.returncode != 0:
                raise LabError(f"sacctmgr add user {users}: {answer.stdout}{answer.stderr}")


class Slurmctld(SlurmDaemon):
    """The controller."""

    name = "slurmctld"
    executables = frozenset({"slurmctld", "slurmctld-wlm"})  # Debian's binary is slurmctld-wlm

    def command(self) -> list[str]:
        return [program("slurmctld"), "-D", "-f", str(self.layout.slurm_conf)]

    def healthy(self) -> bool:
        return " is UP" in ask(self.layout, "scontrol", "ping").stdout


class Slurmd(SlurmDaemon):
    """The node's daemon; jobs go on while it is stopped, as slurmstepd processes of their own."""

    name = "slurmd"
    executables = frozenset({"slurmd", "slurmd-wlm"})

    def command(self) -> list[str]:
        return [program("slurmd"), "-D", "-f", str(self.layout.slurm_conf)]

    def healthy(self) -> bool:
        states = ask(self.layout, "sinfo", "-h", "-o", "%t").stdout.split()
        return any(state in ("idle", "mix", "alloc") for state in states)

    def stop(self, patience: float = 15.0) -> None:
        """Only the daemon itself: the job steps are its children and stay."""
        if (pid := self.pid) is not None:
            os.kill(pid, 15)
            wait_until(lambda: self.pid is None, patience, "slurmd did not stop")
        self._forget()


def drain(layout: Layout, patience: float = 10.0) -> None:
    """Cancel every job and wait until the queue is empty; for taking the lab down."""
    jobs = ask(layout, "squeue", "-h", "-a", "-o", "%A").stdout.split()
    if not jobs:
        return
    ask(layout, "scancel", "--signal=KILL", "--full", *jobs)
    ask(layout, "scancel", *jobs)
    try:
        wait_until(lambda: not ask(layout, "squeue", "-h").stdout.strip(), patience, "jobs left")
    except LabError:
        return  # what is still there is ended by its process id afterwards


def write_configuration(layout: Layout) -> None:
    """slurm.conf, cgroup.conf and slurmdbd.conf, with the folders that they name."""
    for folder in ("slurmctld", "slurmd"):
        path = layout.root / folder
        path.mkdir(exist_ok=True, mode=0o755)
        layout.own(path, "slurm" if folder == "slurmctld" else "root")
    _replace(layout.slurm_conf, _slurm_conf(layout))
    # no cgroup is used (linuxproc, task/none), but without this line slurmd looks for one and
    # gives up where /sys/fs/cgroup is not mounted
    _replace(
        layout.slurm_conf.with_name("cgroup.conf"), "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n"
    )
    accounting = layout.slurm_conf.with_name("slurmdbd.conf")
    _replace(accounting, _slurmdbd_conf(layout), mode=0o600)
    layout.own(accounting, "slurm")


def _replace(path: Path, text: str, mode: int = 0o644) -> None:
    """Write by rename: a command that reads the file meanwhile never sees half of it."""
    if path.exists() and path.read_text() == text:
        return
    temporary = path.with_name(path.name + ".new")
    temporary.touch(mode=mode)
    temporary.write_text(text)
    temporary.replace(path)


def _slurm_conf(layout: Layout) -> str:
    host, root, ports, settings = host_name(), layout.root, layout.ports, layout.settings
    return f"""\
ClusterName={CLUSTER}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports["slurmctld"]}
SlurmdPort={ports["slurmd"]}
SlurmUser={layout.account("slurm")}
SlurmdUser={layout.account("root")}
AuthType=auth/munge
AuthInfo=socket={layout.munge_socket}
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=100
ReturnToService=2
StateSaveLocation={root}/slurmctld
SlurmdSpoolDir={root}/slurmd
SlurmctldPidFile={root}/run/slurmctld.own.pid
SlurmdPidFile={root}/run/slurmd.own.pid
# 64 CPUs on a machine that has fewer
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports["slurmdbd"]}
AccountingStoragePass={layout.munge_socket}
AccountingStorageEnforce=associations,limits,qos,safe
AccountingStoreFlags=job_comment
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
MinJobAge={settings.min_job_age}
KillWait=5
OverTimeLimit=0
MessageTimeout=5
SlurmdTimeout=30
MaxJobCount=100000
MaxArraySize=20001
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=5,default_queue_depth=200
NodeName={host} NodeAddr=127.0.0.1 CPUs={settings.cpus} RealMemory={settings.memory_mb} Feature=f7t
PartitionName=part01 Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=part02 Nodes=ALL MaxTime=00:10:00 State=UP
PartitionName=closed Nodes=ALL State=DOWN
{settings.slurm_extra}
"""


def _slurmdbd_conf(layout: Layout) -> str:
    return f"""\
AuthType=auth/munge
AuthInfo=socket={layout.munge_socket}
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={layout.ports["slurmdbd"]}
SlurmUser={layout.account("slurm")}
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={layout.ports["mariadb"]}
StorageUser=slurm
StoragePass={layout.password}
StorageLoc=slurm_acct
PidFile={layout.root}/run/slurmdbd.own.pid
"""
