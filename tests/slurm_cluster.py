"""A SLURM cluster of this machine alone, on loopback, with two GPUs that are only pretended.

It needs root and Debian's packages slurm-wlm and munge, and takes /etc/slurm while it runs.
"""

import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "munged")
CONFIGURATION = Path("/etc/slurm")
SYSTEM_PROGRAMS = f"{os.environ['PATH']}:/usr/sbin"
# Devices as /dev/null: SLURM hands out their numbers and opens none.
NULL_DEVICE = os.makedev(1, 3)
# AuthInfo: a preempted job waits until its credential expires. OverMemoryKill: SLURM itself ends
# a job above its memory, without control groups.
SETTINGS = """
ClusterName=lohrec
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=cred_expire=5
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=7200
KillWait=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 CoresPerSocket=8 RealMemory=16000 Gres=gpu:fake:2
PartitionName=short Nodes={host} Default=YES MaxTime=1440
"""
GPUS = "AutoDetect=off\nNodeName={host} Name=gpu Type=fake File={folder}/gpu[0-1]\n"
FILES = {"slurm.conf": SETTINGS, "gres.conf": GPUS}
OWNER = "owner.pid"  # of the tests


def lacking() -> str | None:
    """Why no cluster can be started here; None if one can."""
    absent = [name for name in PROGRAMS if not shutil.which(name, path=SYSTEM_PROGRAMS)]
    if absent:
        return f"no {', '.join(absent)}: apt-get install slurm-wlm munge"
    if os.geteuid():
        return "a SLURM cluster is started by root alone"
    _clear_away()
    if os.path.lexists(CONFIGURATION / "slurm.conf"):
        return f"{CONFIGURATION}/slurm.conf is there: this machine belongs to a cluster"
    return None


def _clear_away() -> None:
    """End a cluster of ours whose tests were killed."""
    configuration = CONFIGURATION / "slurm.conf"
    if not configuration.is_symlink():
        return
    folder = configuration.readlink().parent
    owner = folder / OWNER
    if not owner.exists() or psutil.pid_exists(int(owner.read_text())):
        return
    for program in ("slurmd", "slurmctld"):
        for process in psutil.process_iter(["name", "pid"]):  # a number may be a stranger's by now
            number = folder / f"{program}.pid"
            wanted = number.exists() and process.info["pid"] == int(number.read_text())
            if wanted and process.info["name"] == program:
                process.kill()
    for name in FILES:
        (CONFIGURATION / name).unlink(missing_ok=True)


@contextmanager
def started(folder: Path) -> Iterator[None]:
    """Run the cluster; its configuration, state and logs lie in `folder`."""
    values = {"host": socket.gethostname().split(".")[0], "folder": folder}
    for part in ("state", "spool"):
        (folder / part).mkdir(parents=True)
    for number in (0, 1):
        os.mknod(folder / f"gpu{number}", stat.S_IFCHR | 0o666, NULL_DEVICE)
    (folder / OWNER).write_text(str(os.getpid()))
    CONFIGURATION.mkdir(exist_ok=True)
    links, begun = [], []
    for name, text in FILES.items():
        (folder / name).write_text(text.format(**values))
        links.append(CONFIGURATION / name)
        links[-1].symlink_to(folder / name)
    try:
        if subprocess.run(
            "munge -n < /dev/null | unmunge", shell=True, capture_output=True
        ).returncode:
            Path("/run/munge").mkdir(exist_ok=True)
            shutil.chown("/run/munge", "munge")
            subprocess.run(["runuser", "-u", "munge", "--", "/usr/sbin/munged"], check=True)
            begun.append(Path("/run/munge/munged.pid"))
        for program in ("slurmctld", "slurmd"):
            subprocess.run([program], check=True, env=os.environ | {"PATH": SYSTEM_PROGRAMS})
            begun.append(folder / f"{program}.pid")
        if not _said("idle", "sinfo", "--noheader", "--format=%T"):
            raise RuntimeError((folder / "slurmctld.log").read_text())
        yield
    finally:
        # A step that ends when nobody listens any more hangs, and slurmd with it.
        ask("scancel", "--user=root")
        _said("", "squeue", "--noheader")
        for number in reversed(begun):
            if number.exists():
                os.kill(int(number.read_text()), signal.SIGTERM)
        for link in links:
            link.unlink()


def _said(text: str, *command: str) -> bool:
    """Whether a program says this within a minute."""
    for _ in range(120):
        if ask(*command).strip() == text:
            return True
        time.sleep(0.5)
    return False


def ask(*command: str) -> str:
    """What a program of SLURM's prints."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout
