"""What SLURM says of a cluster and of its jobs, asked before the first one is sent to it."""

import getpass
import re
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

# Snakemake's executor lets this many seconds go by between two looks at its jobs, or fewer.
LOOKS = 180


def status_command(wanted: str, first_look: int) -> str:
    """The command that tells how jobs end: `wanted`, or squeue where SLURM keeps no accounts.

    Without accounts sacct prints its error and no job, and a run would wait for its first job for
    ever.

    Args:
        wanted: sacct or squeue.
        first_look: seconds after which the executor looks at a new job.

    Raises:
        ValueError: there are no accounts, and SLURM forgets jobs sooner than they are looked at.
    """
    status, said = _ask("sacct", "-X", "--noheader", "--starttime", "now")
    if status == 0:
        return wanted
    _, config = _ask("scontrol", "show", "config")
    age = re.search(r"^MinJobAge\s*=\s*(\d+)", config, re.MULTILINE)
    # Of the executor's own: below three first looks it takes sacct, whatever it was told.
    needed = max(LOOKS + 60, 3 * first_look)
    if age and int(age[1]) >= needed:
        return "squeue"
    raise ValueError(
        "This cluster does not tell how its jobs end.\n"
        f"  sacct: {said.strip() or 'nothing'}\n"
        f"  scontrol show config: {age[0] if age else 'no MinJobAge'}\n"
        "A run would wait for its first job for ever. Ask those who run the cluster for accounts "
        f"(slurmdbd), or for MinJobAge={max(300, needed)}: jobs are then found by squeue."
    )


def left_behind(folder: Path) -> dict[str, str]:
    """{number: what it makes} of the jobs that Snakemake sent from a folder and that still live."""
    living = "--states=PENDING,CONFIGURING,RUNNING,SUSPENDED,COMPLETING"
    mine = f"--user={getpass.getuser()}"
    status, listed = _ask("squeue", "--noheader", living, mine, "--format=%i|%Z|%k")
    if status:
        raise ValueError(f"squeue: {listed.strip()}")
    jobs = [line.split("|", 2) for line in listed.splitlines() if line.count("|") >= 2]
    return {
        number: made
        for number, place, made in sorted(jobs, key=lambda job: _leading_number(job[0]))
        if made.startswith("rule_") and Path(place).resolve() == folder.resolve()
    }


def _leading_number(job: str) -> int:
    """That of a job such as 12, 12_3 (of an array) or 12+0 (of a heterogeneous one)."""
    found = re.match(r"\d+", job)
    return int(found[0]) if found else 0


def refuse_left_behind(folder: Path) -> None:
    """Refuse to start beside jobs that an earlier run, which was killed, has left.

    Raises:
        ValueError: there are some; the message names them.
    """
    if not (jobs := left_behind(folder)):
        return
    raise ValueError(
        "Jobs of an earlier run are still there; new ones would write the same files:\n"
        + "".join(f"  {number}  {made}\n" for number, made in jobs.items())
        + "Wait until squeue no longer lists them and start again: what they finish is kept. Or "
        f"end them first: scancel {' '.join(jobs)}"
    )


def refused(requests: Mapping[str, Iterable[str]]) -> None:
    """Refuse jobs that this cluster would never start, before the first one is sent.

    Args:
        requests: {arguments of sbatch: the steps that ask for it}.

    Raises:
        ValueError: there are some; the message has SLURM's reason for each request.
    """
    reasons = {request: reason for request in requests if (reason := refusal(request))}
    if not reasons:
        return
    raise ValueError(
        "This cluster would never start some steps.\n"
        + "".join(
            f"  {', '.join(sorted(set(requests[request])))}: {reason}\n    sbatch {request}\n"
            for request, reason in reasons.items()
        )
        + "Name another slurm_partition in profiles/slurm/config.yaml, or ask for less: "
        "--set-resources STEP:mem_mb=MB STEP:runtime=MINUTES, or `cuda` and `threads` in the "
        "settings."
    )


def refusal(request: str) -> str | None:
    """Why SLURM would never start a job; None if it would.

    Args:
        request: arguments of sbatch.
    """
    arguments = shlex.split(request)
    status, said = _ask("sbatch", "--test-only", *arguments, "--wrap", "true")
    if status:
        return (said.strip().splitlines() or ["sbatch gives no reason"])[-1]
    given = dict(pairwise(arguments))
    limit = time_limit(given.get("-p"))
    if limit is not None and int(given.get("-t", 0)) > limit:
        # It would be taken, and wait for ever.
        return f"the partition ends jobs after {limit} minutes"
    return None


def time_limit(partitions: str | None) -> int | None:
    """Minutes after which jobs end in the most patient of some partitions; None if in none.

    Args:
        partitions: names with commas between them; None for the cluster's default.
    """
    _, listed = _ask("sinfo", "--noheader", "--format=%P|%l")
    limits = dict(line.split("|") for line in listed.splitlines() if line.count("|") == 1)
    default = [name.rstrip("*") for name in limits if name.endswith("*")]
    named = partitions.split(",") if partitions else default
    found = [minutes(limit) for name, limit in limits.items() if name.rstrip("*") in named]
    known = [limit for limit in found if limit is not None]
    return max(known) if known and len(known) == len(found) else None


def minutes(limit: str) -> int | None:
    """SLURM's [[DAYS-]HOURS:]MINUTES:SECONDS as minutes; None if there is no limit."""
    if not (found := re.fullmatch(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)", limit.strip())):
        return None
    days, hours, rest, _ = (int(part or 0) for part in found.groups())
    return (24 * days + hours) * 60 + rest


def _ask(*command: str) -> tuple[int, str]:
    """Exit status and what a program says, both streams together; 127 where there is none."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, str(error)
    return done.returncode, done.stdout
