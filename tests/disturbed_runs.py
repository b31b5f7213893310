"""Runs of the workflow that are killed, filled up and damaged, against an undisturbed one.

Not collected with the other tests, for they take minutes: `make faults` runs them.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from small_workflow import COMMAND, ENVIRONMENT, copied, run

from lohrec.common.artefacts import read_json

pytest_plugins = ["calm_run"]
# The shortest way that trains three networks, fills an array part by part, and ends in figures.
TARGET = "results/demo/distill/metrics.json"
PATIENCE = 1800  # seconds that a run may take
TIMES = re.compile("seconds|.*_per_second")  # the names of fields that differ from run to run


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


def test_sigterm(disturbed: Path) -> None:
    """Its bytes are compared after the next faults of the same run."""
    started = Started(disturbed)
    assert started.reaches(lambda: "rule train_rqvae:" in started.said.read_text())
    started.end(signal.SIGTERM)
    assert started.process.returncode != 0


def test_killed_before_it_is_recorded(disturbed: Path) -> None:
    taught = disturbed / "results/demo/teacher/shards/0/probabilities.npy"
    started = Started(disturbed)
    assert started.reaches(taught.exists), started.said.read_text()
    started.end(signal.SIGKILL)
    done = read_json(taught.with_name(".probabilities.npy.partial.json"))["done"]  # all parts
    # Snakemake deletes what it has no record of; then it comes again.
    started = Started(disturbed)
    log = disturbed / "logs/demo/score_codewords/0.log"
    again = f"resuming after {done:,} parts"
    there = started.reaches(lambda: log.exists() and again in log.read_text())
    assert there, started.said.read_text()
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
    assert "starting afresh" in log.read_text()
    started.end(signal.SIGKILL)  # again before it is recorded
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
    assert not started.runs_for(PATIENCE)
    assert started.process.returncode == 1
    assert re.search("The disk is full: .* needs .* are free", started.said.read_text())
    remount = ["mount", "-o", "remount,size=1g", str(small_disk / "results")]
    subprocess.run(remount, check=True)
    run(small_disk, TARGET)
    same(calm, small_disk)


def test_an_output_that_is_cut_off(calm: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(calm, tmp_path / "run"))
    name = "results/demo/distill/seed_0/recommendations.parquet"
    path = folder / name
    os.truncate(path, path.stat().st_size // 2)
    started = Started(folder)
    assert not started.runs_for(PATIENCE)
    assert started.process.returncode == 1
    assert f"{name} is damaged" in started.said.read_text()
    path.unlink()
    # By name, for Snakemake makes no file again of which the last result is there.
    run(folder, name, TARGET)
    same(calm, folder)
