"""An undisturbed run of the workflow, and whether another has come to the same files."""

import fcntl
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from small_workflow import copied, run

from lohrec.common.artefacts import read_json

# The shortest way that trains three networks, fills an array part by part, and ends in figures.
TARGET = "results/demo/distill/metrics.json"
TIMES = re.compile("seconds|.*_per_second")  # the names of fields that differ from run to run


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
