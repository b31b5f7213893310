"""SASRec beside RecBole's own program, on a few users."""

import json
import os
import subprocess
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from conftest import ROOT

from lohrec.benchmarks import race
from lohrec.data.examples import Examples, read_examples
from lohrec.data.sequences import leave_one_out
from lohrec.recommender.item_networks import CausalNetwork
from lohrec.recommender.item_training import accuracy

PYTHON = ROOT / ".recbole/bin/python"
ITEMS, WIDTH, HISTORY = 40, 6, 20
with_recbole = pytest.mark.skipif(not PYTHON.exists(), reason="no RecBole; make recbole")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Users who go from an item to the next or the one after it, some past the longest history."""
    folder, rng = tmp_path_factory.mktemp("race"), np.random.default_rng(0)
    length = rng.integers(4, 31, 60)
    walks = [(rng.integers(ITEMS) + rng.integers(1, 3, n).cumsum()) % ITEMS for n in length]
    np.save(folder / "sequences.npy", np.concatenate(walks).astype(np.int32))
    user = np.repeat(np.arange(len(length)), length)
    pq.write_table(leave_one_out(user, HISTORY), folder / "examples.parquet")
    names = [str(item) for item in range(ITEMS)]
    pq.write_table(pa.table({"asin": names, "title": names}), folder / "items.parquet")
    return folder


def split(data: Path, name: str) -> Examples:
    return read_examples(data / "sequences.npy", data / "examples.parquet", name)


class Given(CausalNetwork):
    """See `recbole_figures.py`."""

    def __init__(self) -> None:
        super().__init__(ITEMS, HISTORY, {"width": WIDTH})
        self.next = torch.nn.Embedding(ITEMS, WIDTH)

    def output(self) -> torch.Tensor:
        return self.next.weight

    def read(self, items: torch.Tensor) -> torch.Tensor:
        place = torch.arange(1, items.shape[1] + 1)
        return (place.unsqueeze(1) * self.embed(items)).cumsum(1)


def curve(*figures: float, seconds: float = 1.0) -> race.Curve:
    return [
        {"epoch": n, "seconds": n * seconds, "processor": 2 * n * seconds, "ndcg": figure}
        for n, figure in enumerate(figures, start=1)
    ]


def cells(curves: dict[str, race.Curve]) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in race.table(curves).splitlines()[2:]
    ]


def test_programs_are_compared_at_the_best_that_both_reach() -> None:
    ours = curve(0.1, 0.3, 0.5)
    ahead = cells({"sasrec": ours, "RecBole": curve(0.2, 0.25, 0.3, 0.28, seconds=10)})
    assert ahead[0] == ["sasrec", "3", "0.5000", "3", "2.00", "0.3000", "2", "30", "15.0"]
    assert ahead[1] == ["RecBole", "4", "0.3000", "40", "2.00", "", "", "", ""]
    behind = cells({"sasrec": ours, "RecBole": curve(0.2, 0.6, seconds=10)})
    assert behind[0][-4:] == ["0.5000", "3", "20", "6.7"]
    assert cells({"sasrec": ours, "RecBole": []})[0][-4:] == [""] * 4


def program(folder: Path, *lines: str) -> Path:
    """A program in the place of RecBole's Python."""
    path = folder / "python"
    path.write_text("\n".join(["#!/bin/sh", *lines]))
    path.chmod(0o755)
    return path


def test_what_came_before_the_time_was_up_is_kept(data: Path, tmp_path: Path) -> None:
    python = program(tmp_path, "echo '{\"users\": 60}'", "echo '{\"epoch\": 1}'", "exec sleep 60")
    began = time.monotonic()
    found = list(race.theirs(split(data, "test"), {}, python, 1, minutes=1 / 30))
    assert found == [{"users": 60}, {"epoch": 1}]
    with closing(race.theirs(split(data, "test"), {}, python, 1, minutes=1)) as lines:
        assert next(lines) == {"users": 60}  # and who has seen enough need not wait
    assert time.monotonic() - began < 30


def test_recbole_reads_whole_sequences(data: Path, tmp_path: Path) -> None:
    python = program(tmp_path, f"cp race/race.inter settings.json {tmp_path}", "exit 0")
    assert not list(race.theirs(split(data, "test"), {"topk": [10]}, python, 1, minutes=1))
    assert json.loads((tmp_path / "settings.json").read_text()) == {"topk": [10]}
    head, *lines = (tmp_path / "race.inter").read_text().splitlines()
    assert head == "user_id:token\titem_id:token\ttimestamp:float"
    read = np.array([line.split("\t") for line in lines]).astype(int)
    assert (read[:, 1] == np.load(data / "sequences.npy")).all()
    for example in ("train", "dev", "test"):
        part = split(data, example)
        assert (read[part.stop, 0] == part.user).all() and (read[part.start, 0] == part.user).all()
    assert (np.diff(read[:, 2]) > 0).all()


def test_what_goes_wrong_is_told(data: Path, tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(FileNotFoundError, match="make recbole"):
        race.race(data, tmp_path / "none", 1, 1, tmp_path / "race")
    monkeypatch.setattr(race, "ours", lambda *_: curve(0.1, 0.2))
    broken = program(tmp_path, "echo 'No module named recbole' >&2", "exit 3")
    with pytest.raises(ValueError, match="ended with 3:\nNo module named recbole"):
        race.race(data, broken, 1, 1, tmp_path / "race")
    other = program(tmp_path, "echo '{\"users\": 59}'")
    with pytest.raises(ValueError, match=r"'users': 59.*'users': 60"):
        race.race(data, other, 1, 1, tmp_path / "race")
    assert "sasrec (bert)" in (tmp_path / "race.md").read_text()  # what was trained is written


@with_recbole
def test_both_figures_mean_the_same(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, dev = Given(), split(data, "dev")
    ours = accuracy(network, dev, exclude_history=False)["dev_ndcg@10"]
    without_own = accuracy(network, dev, exclude_history=True)["dev_ndcg@10"]
    assert abs(ours - without_own) > 0.01  # so the figures would tell the protocols apart

    asked = race.recbole_settings(race.settings(len(dev)), HISTORY)
    race.write_task(tmp_path, split(data, "test"), asked)
    tables = {"read": network.item.weight[:ITEMS], "next": network.next.weight}
    np.savez(tmp_path / "given.npz", **{k: v.detach().numpy() for k, v in tables.items()})
    done = subprocess.run(
        [PYTHON, Path(__file__).with_name("recbole_figures.py")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(race.SCRIPT.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    theirs = json.loads((tmp_path / "figure.json").read_text())
    assert theirs["ndcg@10"] == pytest.approx(ours, abs=1e-6)


@with_recbole
def test_a_race(data: Path, tmp_path: Path) -> None:
    race.race(data, PYTHON, 1, 10, tmp_path / "race")
    found = json.loads((tmp_path / "race.json").read_text())
    assert list(found["curves"]) == [*race.OURS, race.THEIRS]
    for curve in found["curves"].values():
        assert [point["epoch"] for point in curve] == list(range(1, len(curve) + 1))
        assert (np.diff([point["seconds"] for point in curve]) > 0).all()
        assert 0 < max(point["ndcg"] for point in curve) <= 1
    rows = (tmp_path / "race.md").read_text().splitlines()[-3:]
    for row in rows[:2]:
        assert float(row.split("|")[-2]) > 0
