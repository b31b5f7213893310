"""A setting's figures by value: differences are paired, tables say the same as the figure."""

import csv

import draw_sweep
import numpy as np
import pyarrow as pa
import pytest
import tiny_lists

from lohrec.common import artefacts
from lohrec.evaluation import metrics, per_user, sweeps

USERS = 300
GAINS = {"0.1": 0, "0.3": 9, "1.0": 0}  # places by which each value finds the target earlier


@pytest.fixture
def tables(tmp_path):
    """per_user.parquet of two seeds of each value, of which the second finds more."""
    rng, paths = np.random.default_rng(0), []
    place = rng.integers(1, 60, size=USERS)
    places = np.stack([place, np.maximum(1, place - 5)])
    for value, gain in GAINS.items():
        for seed, place in enumerate(places):
            lists = tiny_lists.alike(USERS)
            figures = metrics.accuracy(lists, np.maximum(1, place - gain) - 1, [5, 10])
            figures |= {f"diversity@{k}": np.full(USERS, 0.5) for k in (5, 10)}
            parts = [per_user.table(split, np.arange(USERS), figures) for split in ("dev", "test")]
            path = tmp_path / value / f"{seed}.parquet"
            artefacts.write_parquet(path, pa.concat_tables(parts).unify_dictionaries())
            paths.append(str(path))
    return paths, places


def test_the_tables_have_what_each_value_gains(tables, tmp_path, capsys):
    paths, places = tables
    outputs = [str(tmp_path / f"gamma.{ending}") for ending in ("csv", "md", "svg")]
    swept = {"row": "dwr", "setting": "ranking", "reference": "0.1"}
    swept |= {"seeds": dict.fromkeys(GAINS, 2), "paired": ["0.3", "1.0"]}
    settings = {"cutoff": 10, "resamples": 200, "vectors": "text"}
    draw_sweep.main(paths, outputs[0], outputs[1], outputs[2:], "demo", swept, settings)

    with open(outputs[0]) as file:
        rows = {(r["split"], r["value"], r["metric"]): r for r in csv.DictReader(file)}
    assert len(rows) == 2 * 3 * 3
    recall = {value: (np.maximum(1, places - gain) <= 10).mean() for value, gain in GAINS.items()}
    for split in ("test", "dev"):
        for value, mean in recall.items():
            row = rows[split, value, "recall@10"]
            assert float(row["mean"]) == pytest.approx(mean) and row["seeds"] == "2"
        better, same = (rows[split, value, "recall@10"] for value in ("0.3", "1.0"))
        assert float(better["difference_mean"]) == pytest.approx(recall["0.3"] - recall["0.1"])
        assert 0 < float(better["difference_low"]) < float(better["difference_high"])
        # The same users under the same seeds: without pairing of both it would be wide.
        assert float(same["difference_high"]) < 0.01 + float(same["difference_low"])
        assert rows[split, "0.1", "recall@10"]["difference_mean"] == ""

    page = (tmp_path / "gamma.md").read_text()
    gain = recall["0.3"] - recall["0.1"]
    assert f"{recall['0.3']:.4f} ({gain:+.4f} [" in page and "## dev set, 300 users" in page
    figure = (tmp_path / "gamma.svg").read_text()
    assert all(f"<!-- {name} -->" in figure for name in ("0.3", "test set", "NDCG@10"))


def test_diversity_of_each_values_own_vectors_has_no_difference(tables):
    paths = dict(zip(GAINS, zip(tables[0][::2], tables[0][1::2], strict=True), strict=True))
    for vectors, held in (("text", True), ("model", False)):
        found = sweeps.compare(paths, "0.1", 10, 50, [], vectors)["test"]["values"]["0.3"]
        assert ("difference" in found["metrics"]["diversity@10"]) == held
        assert "difference" in found["metrics"]["recall@10"]
