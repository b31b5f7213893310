"""What a run survives: `make faults` tries each kind of fault and prints the table.

Not among the tests that run by themselves, for it takes minutes. Rows of KINDS are tests, of this
file or of others; a kind more is a line there and a test.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from small_workflow import COMMAND, ENVIRONMENT, copied, run

from lohrec.common.artefacts import read_json

# {test: (fault, what comes of it)}
KINDS = {
    "faults.py::test_kills": (
        "20 kills of a run at seeded moments",
        "started again, the same bytes",
    ),
    "faults.py::test_sigterm": ("SIGTERM", "started again, the same bytes"),
    "faults.py::test_killed_before_it_is_recorded": (
        "a job killed between its last file and Snakemake's record",
        "goes on from its end, the same bytes",
    ),
    "faults.py::test_a_damaged_checkpoint": (
        "a checkpoint with a flipped bit",
        "not gone on from, the same bytes",
    ),
    "faults.py::test_a_full_disk": (
        "a disk that fills during a run",
        "an error that names it; with room, the same bytes",
    ),
    "faults.py::test_an_output_that_is_cut_off": (
        "an output that is cut off",
        "an error that names it; deleted, the same bytes",
    ),
    "common/test_artefacts.py::test_every_writer_names_a_full_disk_and_leaves_what_was_there": (
        "a full disk, each kind of file",
        "an error that names it, the old file stays",
    ),
    "common/test_artefacts.py::test_an_array_that_does_not_fit_is_refused": (
        "an array larger than the disk",
        "refused before the first row, with both sizes",
    ),
    "common/test_artefacts.py::test_a_read_only_folder_is_named": (
        "a read-only folder",
        "an error that names it, the old file stays",
    ),
    "common/test_artefacts.py::test_the_next_writer_removes_what_killed_ones_left": (
        "a writer killed within a file",
        "half a file is never seen, and is removed",
    ),
    "common/test_partial_array.py::test_two_processes_do_not_fill_one_array": (
        "two writers of one array",
        "the second one is refused",
    ),
    "common/test_partial_array.py::test_the_lock_of_a_killed_process_is_taken_over": (
        "a writer killed, and started again",
        "goes on where it was",
    ),
    "common/test_partial_array.py::test_a_damaged_array_is_begun_anew": (
        "half an array that is cut off",
        "begun anew",
    ),
    "common/test_training.py::test_retries_shorter_than_an_epoch_come_to_the_same_end": (
        "a time limit shorter than an epoch",
        "retries come to the same end",
    ),
    "common/test_training.py::test_a_damaged_checkpoint_is_not_gone_on_from": (
        "a checkpoint with any byte changed, or cut off",
        "not gone on from",
    ),
}
KILLS, SECONDS = 20, 8.0  # of a run, at most so long after it has begun with its jobs
TARGET = "results/demo/dwr/metrics.json"
TIMES = re.compile("seconds|.*_per_second")  # the names of fields that differ from run to run


@pytest.fixture(scope="session")
def calm(tmp_path_factory) -> Path:
    """An undisturbed run."""
    folder = copied(tmp_path_factory.mktemp("calm"))
    run(folder, TARGET)
    return folder


@pytest.fixture(scope="session")
def disturbed(tmp_path_factory) -> Path:
    """A run that goes from one fault to the next, test by test."""
    return copied(tmp_path_factory.mktemp("disturbed"))


class Started:
    """A run in a session of its own, with all its jobs; nobody else has these numbers."""

    def __init__(self, folder: Path) -> None:
        self.said = folder / "said.txt"
        with open(self.said, "w") as said:
            command = [*COMMAND, "--nolock", "--", TARGET]
            self.process = subprocess.Popen(
                command, cwd=folder, env=ENVIRONMENT, stdout=said, stderr=said,
                start_new_session=True,
            )  # fmt: skip

    def reaches(self, there: Callable[[], bool]) -> bool:
        """Wait until something is there, or the run has ended; whether it still runs."""
        while self.process.poll() is None and not there():
            time.sleep(0.01)
        return self.process.poll() is None

    def works(self) -> bool:
        """Wait until the run begins with its jobs; whether it still runs."""
        return self.reaches(lambda: "Select jobs to execute" in self.said.read_text())

    def runs_for(self, seconds: float) -> bool:
        """Wait so long, or until it has ended; whether it still runs."""
        moment = time.monotonic() + seconds
        return self.reaches(lambda: time.monotonic() > moment)

    def end(self, signal: int) -> None:
        """Send a signal to the run and all its jobs, and wait until none is left."""
        os.killpg(self.process.pid, signal)
        self.process.wait()
        try:
            while True:
                os.killpg(self.process.pid, 0)
                time.sleep(0.05)
        except ProcessLookupError:
            return


def contents(folder: Path) -> dict[str, Any]:
    """All files of the results, hidden ones too, without fields that hold times."""
    paths = sorted(path for path in (folder / "results").rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): content(path) for path in paths}


def content(path: Path) -> Any:
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return table.drop_columns([name for name in table.column_names if TIMES.fullmatch(name)])
    return timeless(read_json(path)) if path.suffix == ".json" else path.read_bytes()


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if not TIMES.fullmatch(k)}
    return [timeless(one) for one in value] if isinstance(value, list) else value


def same(calm: Path, other: Path) -> None:
    expected, found = contents(calm), contents(other)
    assert expected.keys() == found.keys()
    assert [name for name in expected if expected[name] != found[name]] == []


def test_kills(calm: Path, tmp_path: Path) -> None:
    rng, kills, folder = random.Random(0), 0, copied(tmp_path)
    while kills < KILLS:
        started = Started(folder)
        if started.works() and started.runs_for(rng.uniform(0, SECONDS)):
            started.end(signal.SIGKILL)
            kills += 1
        else:  # done between two kills
            assert started.process.returncode == 0, started.said.read_text()
            same(calm, folder)
            for name in ("results", ".snakemake", "logs"):
                shutil.rmtree(folder / name)
    run(folder, "--nolock", TARGET)
    same(calm, folder)


def test_sigterm(disturbed: Path) -> None:
    """Its bytes are compared after the next faults of the same run."""
    started = Started(disturbed)
    assert started.reaches(lambda: "rule train_rqvae:" in started.said.read_text())
    started.end(signal.SIGTERM)
    assert started.process.returncode != 0


def test_killed_before_it_is_recorded(disturbed: Path) -> None:
    beams = disturbed / "results/demo/teacher/shards/0/beams.npy"
    started = Started(disturbed)
    assert started.reaches(beams.exists), started.said.read_text()
    started.end(signal.SIGKILL)
    started = Started(disturbed)
    # Snakemake deletes what it has no record of; then it comes again.
    log = disturbed / "logs/demo/generate_candidates/0.log"
    assert started.reaches(lambda: log.exists() and "examples in" in log.read_text())
    said = log.read_text()
    assert "resuming after" in said and "running the teacher:" not in said.split("resuming")[1]
    started.end(signal.SIGKILL)


def test_a_damaged_checkpoint(disturbed: Path, calm: Path) -> None:
    seed = disturbed / "results/demo/distill/seed_0"
    checkpoint = seed / ".model.checkpoint"
    started = Started(disturbed)
    assert started.reaches(checkpoint.exists), started.said.read_text()
    started.end(signal.SIGKILL)
    saved = bytearray(checkpoint.read_bytes())
    saved[len(saved) // 2] ^= 1
    checkpoint.write_bytes(saved)
    log = disturbed / "logs/demo/fit/distill_seed_0.log"
    started = Started(disturbed)
    assert started.reaches((seed / "model/recommender.json").exists), started.said.read_text()
    assert "is damaged); starting afresh" in log.read_text()
    started.end(signal.SIGKILL)  # again before it is recorded
    subprocess.run([*COMMAND, "--unlock"], cwd=disturbed, env=ENVIRONMENT, check=True)
    run(disturbed, TARGET)
    assert "resuming at step" in log.read_text()
    same(calm, disturbed)


@pytest.fixture
def small_disk(calm: Path, tmp_path: Path) -> Iterator[Path]:
    """A workflow whose results have a file system of their own, with too little room."""
    results = copied(tmp_path) / "results"
    results.mkdir()
    size = sum(path.stat().st_size for path in (calm / "results").rglob("*") if path.is_file())
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size // 2}", "none", str(results)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system")
    yield tmp_path
    subprocess.run(["umount", "-l", str(results)], check=True)


def test_a_full_disk(calm: Path, small_disk: Path) -> None:
    started = Started(small_disk)
    assert not started.runs_for(600)
    assert started.process.returncode == 1
    assert re.search("The disk is full: .* needs .* are free", started.said.read_text())
    remount = ["mount", "-o", "remount,size=1g", str(small_disk / "results")]
    subprocess.run(remount, check=True)
    run(small_disk, TARGET)
    same(calm, small_disk)


def test_an_output_that_is_cut_off(calm: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(calm, tmp_path / "run"))
    name = "results/demo/dwr/seed_0/recommendations.parquet"
    path = folder / name
    os.truncate(path, path.stat().st_size // 2)
    started = Started(folder)
    assert not started.runs_for(600)
    assert started.process.returncode == 1
    assert f"{name} is damaged" in started.said.read_text()
    path.unlink()
    run(folder, TARGET)
    same(calm, folder)


class Table:
    """The table of what pytest reports: the cases of a test are one row."""

    def __init__(self) -> None:
        self.outcome: dict[str, list[str]] = {}
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.split("[")[0].removeprefix("tests/")
        self.seconds[name] = self.seconds.get(name, 0.0) + report.duration
        if report.when == "call" or report.outcome != "passed":
            self.outcome.setdefault(name, []).append(report.outcome)

    def text(self) -> str:
        lines = ["| fault | outcome | tries | seconds |", "| --- | --- | --- | --- |"]
        for name, (fault, outcome) in KINDS.items():
            every = self.outcome.get(name, ["not run"])
            bad = [one for one in every if one != "passed"]
            said = f"**{bad[0]}**" if bad else outcome
            lines.append(f"| {fault} | {said} | {len(every)} | {self.seconds.get(name, 0.0):.0f} |")
        return "\n".join(lines)


if __name__ == "__main__":
    table, began = Table(), time.monotonic()
    here = Path(__file__).resolve().parent
    os.chdir(here.parent)
    chosen = [f"tests/{name}" for name in KINDS]
    status = pytest.main([*chosen, "-p", "no:cacheprovider", *sys.argv[1:]], plugins=[table])
    print(table.text())
    print(f"{len(KINDS)} kinds in {time.monotonic() - began:.0f} s.")
    sys.exit(status)
