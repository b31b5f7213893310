"""The undisturbed run that all files of tests compare theirs with."""

import fcntl
from pathlib import Path

import pytest
from disturbed_runs import TARGET
from small_workflow import copied, run


@pytest.fixture(scope="session")
def calm(tmp_path_factory, worker_id) -> Path:
    """The folder of one run for all processes of pytest: the first that asks makes it."""
    root = tmp_path_factory.getbasetemp()
    folder = (root if worker_id == "master" else root.parent) / "calm"
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / TARGET).exists():
            folder.mkdir()
            run(copied(folder), TARGET)
    return folder
