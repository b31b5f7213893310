"""A run of the workflow that is killed again and again, against an undisturbed one.

Not collected with the other tests, for it takes minutes: `make faults` runs it, beside the other
faults of `disturbed_runs.py`.
"""

import random
import shutil
import signal
from pathlib import Path

from disturbed_runs import TARGET, Started, same
from small_workflow import copied, run

pytest_plugins = ["calm_run"]
KILLS, SHARE = 20, 1 / 6  # each at most such a share of the undisturbed run after the first job


def test_kills(tmp_path: Path, calm: Path) -> None:
    folder, rng, kills = copied(tmp_path), random.Random(0), 0
    took = (calm / TARGET).stat().st_mtime - (calm / "tiny.yaml").stat().st_mtime
    while kills < KILLS:
        started = Started(folder)
        if started.works() and started.runs_for(rng.uniform(0, SHARE * took)):
            started.end(signal.SIGKILL)
            kills += 1
        else:  # done between two kills
            assert started.process.returncode == 0, started.said.read_text()
            same(calm, folder)
            for name in ("results", ".snakemake", "logs"):
                shutil.rmtree(folder / name)
    run(folder, TARGET)
    same(calm, folder)
