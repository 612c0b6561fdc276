"""A SLURM of this machine alone: a controller, and nodes of one core, for as long as the block lasts.

    with slurm() as cluster:
        subprocess.run(["sbatch", "job.sh"], env=cluster.environment)

All its files are in one folder, the key of its munge too. Nodes are named by addresses of this machine, so
that one finds another by its name, as on a cluster. Accounts are kept (`sacct`) where it is asked for.
"""

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from lightning.fabric.plugins.environments.lightning import find_free_network_port

NODES = "127.0.0.2", "127.0.0.3"
WIDE = "127.0.0.4"  # a node of two cores, to which tasks are bound, in a partition of its own
PROGRAMS = "munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel"
OF_ACCOUNTS = "slurmdbd", "mariadbd", "mariadb-install-db"
PATIENCE = 30  # seconds
CONFIG = """
ClusterName=tracelab
SlurmctldHost=localhost
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
TaskPlugin=task/affinity
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
KillWait=10
"""
ACCOUNTS = """
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={port}
AccountingStoragePass={folder}/munge.socket
"""
KEEPER = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost=localhost
DbdPort={port}
SlurmUser={user}
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={of_data}
StorageUser={user}
StorageLoc=accounts
"""
NODE = "NodeName={name} NodeHostname=localhost NodeAddr={name} Port={port} RealMemory=4000 {cores}\n"


class Cluster(NamedTuple):
    """A cluster that runs. environment: what makes commands speak to it."""

    folder: Path
    environment: dict[str, str]

    def says(self, *command: str) -> str:
        """What a command prints."""
        options = {"env": self.environment, "cwd": self.folder, "capture_output": True, "text": True}
        return subprocess.run(command, check=True, **options).stdout

    def states(self) -> dict[str, str]:
        """The jobs that are in the queue, or were lately -> their states."""
        rows = self.says("squeue", "--states=all", "--array", "--noheader", "--format=%i %T").splitlines()
        return dict(row.split() for row in rows)


def missing(*programs: str) -> list[str]:
    """The programs that it takes and this machine lacks. programs: other ones."""
    return [program for program in programs or PROGRAMS if shutil.which(program) is None]


@contextmanager
def slurm(accounts: bool = False) -> Iterator[Cluster]:
    """A cluster of two nodes of one core, and one of two cores in the partition `wide`."""
    with TemporaryDirectory(prefix="slurm-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # munge wants everybody to reach its socket
        write(folder)
        cluster = Cluster(folder, {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")})
        files = ("key-file", "socket", "pid-file", "log-file", "seed-file")
        places = [f"--{file}={folder}/munge.{file.partition('-')[0]}" for file in files]
        stack.enter_context(daemon(cluster, "munged", "--foreground", "--force", *places))
        if accounts:
            keep_accounts(cluster, stack)
        stack.enter_context(daemon(cluster, "slurmctld", "-D", "-i"))
        for node in (*NODES, WIDE):
            stack.enter_context(daemon(cluster, "slurmd", "-D", "-N", node))
        stack.callback(stop_jobs, cluster)
        await_(lambda: idle(cluster) == len(NODES) + 1, folder)
        yield cluster


def write(folder: Path) -> None:
    """Write its config and its key."""
    (folder / "state").mkdir()
    (folder / "munge.key").write_bytes(secrets.token_bytes(1024))
    (folder / "munge.key").chmod(0o600)
    text = CONFIG.format(folder=folder, port=find_free_network_port(), user=getpass.getuser())
    cores = dict.fromkeys(NODES, "CPUs=1 CpuBind=none") | {WIDE: "CPUs=2 CoresPerSocket=2 CpuBind=cores"}
    for node, words in cores.items():
        (folder / f"spool-{node}").mkdir()
        text += NODE.format(name=node, port=find_free_network_port(), cores=words)
    text += f"PartitionName=narrow Nodes={','.join(NODES)} Default=YES MaxTime=INFINITE State=UP\n"
    text += f"PartitionName=wide Nodes={WIDE} MaxTime=INFINITE State=UP\n"
    (folder / "slurm.conf").write_text(text)


def keep_accounts(cluster: Cluster, stack: ExitStack) -> None:
    """Start what keeps accounts, and its data base, and have the cluster's config name it."""
    folder, user = cluster.folder, getpass.getuser()
    port, of_data = find_free_network_port(), find_free_network_port()
    data = ["--no-defaults", f"--datadir={folder}/data", f"--user={user}"]
    cluster.says("mariadb-install-db", *data, "--auth-root-authentication-method=normal", "--skip-test-db")
    place = [f"--socket={folder}/data.socket", f"--port={of_data}", "--bind-address=127.0.0.1"]
    stack.enter_context(daemon(cluster, "mariadbd", *data, *place, "--skip-grant-tables"))
    await_(lambda: listens(of_data), folder)
    with (folder / "slurm.conf").open("a") as file:
        file.write(ACCOUNTS.format(folder=folder, port=port))
    (folder / "slurmdbd.conf").write_text(KEEPER.format(folder=folder, port=port, user=user, of_data=of_data))
    (folder / "slurmdbd.conf").chmod(0o600)
    stack.enter_context(daemon(cluster, "slurmdbd", "-D"))
    await_(lambda: listens(port), folder)


def listens(port: int) -> bool:
    """Does a program listen on a port?"""
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def daemon(cluster: Cluster, *words: str) -> Iterator[None]:
    """A program of the cluster's, which is told to end when the block does."""
    with (cluster.folder / "said").open("ab") as said:
        options = {"stdout": said, "stderr": said, "cwd": cluster.folder, "start_new_session": True}
        process = subprocess.Popen(words, env=cluster.environment, **options)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def stop_jobs(cluster: Cluster) -> None:
    """Kill the jobs that a failed test has left."""
    user = getpass.getuser()
    for words in (["--signal=KILL"], []):
        subprocess.run(["scancel", *words, f"--user={user}"], env=cluster.environment, check=False)
    await_(lambda: not cluster.says("squeue", "--noheader"), cluster.folder)


def idle(cluster: Cluster) -> int:
    """How many nodes wait for jobs; none while there is no controller yet."""
    command = ["sinfo", "--noheader", "--Node", "--states=idle", "--format=%N"]
    done = subprocess.run(command, env=cluster.environment, capture_output=True, text=True)
    return len(done.stdout.split()) if done.returncode == 0 else 0


def await_(condition, folder: Path, patience: float = PATIENCE) -> None:
    """Wait until something is so."""
    until = time.monotonic() + patience
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError((folder / "said").read_text()[-4000:])
        time.sleep(0.2)
