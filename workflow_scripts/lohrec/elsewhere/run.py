"""Run the jobs of a folder that `--executor lohrec` wrote, with Python's own library alone.

`python -m lohrec.elsewhere.run FOLDER --out FOLDER --minutes MINUTES`
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from lohrec.elsewhere.jobs import SCRIPTS, Job, read
from lohrec.elsewhere.results import Results

PAUSE = 0.05  # seconds between two looks at what runs
LAST_LINES = 25  # of a failed job's log


class Run:
    """Jobs in their order, as many side by side as the cores and the one GPU allow.

    A job whose outputs are there does not run, and one whose inputs nobody makes is left out.

    Args:
        folder: where `jobs.json` and the files are.
        results: is told of every job that has ended.
    """

    def __init__(self, folder: Path, results: Results) -> None:
        self.folder, self.results = folder, results
        self.jobs = read(folder)
        self.waiting = list(range(len(self.jobs)))
        self.running: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self.failed = 0

    def until(self, end: float) -> bool:
        """Run until `end`, of the monotonic clock; then stop what still runs.

        Returns:
            Whether every job is done.
        """
        try:
            while self._next() and time.monotonic() < end:
                time.sleep(PAUSE)
        finally:
            self._stop()
        return not self.waiting and not self.failed

    def _next(self) -> bool:
        """Take note of what has ended, start what can start; whether anything runs."""
        for number, (process, since) in list(self.running.items()):
            if process.poll() is not None:
                del self.running[number]
                self._ended(self.jobs[number], process.returncode, time.monotonic() - since)
        for number in list(self.waiting):
            job = self.jobs[number]
            if self._there(job.writes):
                self.waiting.remove(number)
                self.results.add(job)
            elif self._there(job.reads) and self._fits(job):
                self.waiting.remove(number)
                self.running[number] = self._start(number), time.monotonic()
        return bool(self.running)

    def _there(self, paths: list[str]) -> bool:
        """Whether files are there, and complete: no running job writes them."""
        written = {path for number in self.running for path in self.jobs[number].writes}
        return all((self.folder / p).exists() and p not in written for p in paths)

    def _fits(self, job: Job) -> bool:
        """Whether the machine has room beside what runs; for a job alone it always has."""
        busy = [self.jobs[number] for number in self.running]
        free = (os.cpu_count() or 1) - sum(one.threads for one in busy)
        shares = job.gpus and any(one.gpus for one in busy)
        return not busy or (job.threads <= free and not shares)

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        threads = str(self.jobs[number].threads)
        pools = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")
        path = os.pathsep.join(filter(None, [str(SCRIPTS), os.environ.get("PYTHONPATH")]))
        return subprocess.Popen(
            [sys.executable, "-m", "lohrec.elsewhere.jobs", str(number)],
            cwd=self.folder,
            start_new_session=True,
            env=os.environ
            | {f"{pool}_NUM_THREADS": threads for pool in pools}
            | {"PYTHONPATH": path, "LOHREC_PROGRESS": "log"},
        )

    def _ended(self, job: Job, status: int, seconds: float) -> None:
        if status == 0 and self._there(job.writes):
            print(f"{job.name}: {seconds:.0f} s", flush=True)
            self.results.add(job, seconds)
            return
        self.failed += 1
        self._discard(job)
        log = self.folder / job.log
        said = log.read_text(errors="replace").splitlines() if log.exists() else []
        print(f"{job.name} failed; its log ends:", *said[-LAST_LINES:], sep="\n  ", flush=True)

    def _discard(self, job: Job) -> None:
        """Remove outputs that are not finished, so that no other job reads them."""
        for path in job.writes:
            (self.folder / path).unlink(missing_ok=True)

    def _stop(self) -> None:
        for number, (process, _) in self.running.items():
            print(f"{self.jobs[number].name}: stopped", flush=True)
            os.killpg(process.pid, signal.SIGKILL)  # and what it has started
            process.wait()
            self._discard(self.jobs[number])
        left = [self.jobs[number].name for number in self.waiting]
        if left:
            print(f"Not run: {', '.join(left)}", flush=True)
        self.failed += len(self.running)
        self.running.clear()


def main() -> int:
    """Run, and leave the results; 0 if every job is done."""
    parser = argparse.ArgumentParser(description="Run jobs that Snakemake planned elsewhere.")
    parser.add_argument("folder", type=Path, help="what --executor lohrec wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for table and results")
    parser.add_argument("--minutes", type=float, required=True, help="stop after so many")
    given = parser.parse_args()
    end = time.monotonic() + 60 * given.minutes
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # stops what runs on its way out
    results = Results(given.folder, given.out)
    run = Run(given.folder, results)
    try:
        return 0 if run.until(end) else 1
    finally:
        results.leave_rest(run.jobs)


if __name__ == "__main__":
    sys.exit(main())
