import itertools
import json
import xml.etree.ElementTree as ElementTree

import compare
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import summarise

from lohrec.common import artefacts, provenance
from lohrec.evaluation import metrics, per_user, ranked_lists, tables

EVALUATION = {"cutoffs": [5, 10], "diversity": "text", "resamples": 300}
USERS = 400


def figures(place, diversity):
    """Figures of users whose targets stand at `place`."""
    lists = ranked_lists.from_arrays(
        np.repeat(np.arange(USERS), 20),
        np.tile(np.arange(1, 21), USERS),
        np.tile(np.arange(20), USERS),
        np.arange(USERS),
        100,
    )
    return metrics.accuracy(lists, place - 1, [5, 10]) | {
        "diversity@5": diversity,
        "diversity@10": diversity,
    }


def write_seed(path, place, diversity):
    parts = [
        per_user.table(split, np.arange(USERS), figures(place, diversity))
        for split in ("dev", "test")
    ]
    artefacts.write_parquet(path, pa.concat_tables(parts).unify_dictionaries())
    return str(path)


@pytest.fixture
def variants(tmp_path):
    """tiger (two seeds), better (finds more), same (equal to tiger)."""
    rng = np.random.default_rng(0)
    places = rng.integers(1, 60, size=(2, USERS))
    diversity = rng.uniform(0.4, 0.6, USERS)

    def seeds(name, gain):
        return [
            write_seed(tmp_path / name / f"{seed}.parquet", np.maximum(1, place - gain), diversity)
            for seed, place in enumerate(places)
        ]

    return {"tiger": seeds("tiger", 0), "better": seeds("better", 8), "same": seeds("same", 0)}


def run_compare(variants, folder):
    outputs = [folder / f"comparison.{ending}" for ending in ("json", "md", "svg")]
    compare.main(variants, *outputs, "demo", list(variants), EVALUATION, "tiger")
    return outputs


def test_compare_finds_the_gain_and_no_other(variants, tmp_path):
    result = json.loads(run_compare(variants, tmp_path)[0].read_text())
    rows = result["splits"]["test"]["variants"]
    users, tiger = per_user.read(variants["tiger"], "test")
    _, better = per_user.read(variants["better"], "test")
    assert len(users) == USERS and tiger["recall@10"].shape == (2, USERS)
    gain = rows["better"]["metrics"]["recall@10"]
    expected = better["recall@10"].mean() - tiger["recall@10"].mean()
    assert gain["difference"]["mean"] == pytest.approx(expected)
    assert gain["difference"]["low"] < expected < gain["difference"]["high"]
    assert gain["relative"]["mean"] == pytest.approx(expected / tiger["recall@10"].mean())
    assert gain["excludes_zero"] and gain["difference"]["p"] < 0.05
    assert gain["std"] == pytest.approx(better["recall@10"].mean(axis=1).std(ddof=1))
    same = rows["same"]["metrics"]["recall@10"]
    assert not same["excludes_zero"] and same["difference"]["p"] == 1
    assert "difference" not in rows["tiger"]["metrics"]["recall@10"]
    assert not rows["better"]["metrics"]["diversity@10"]["excludes_zero"]


def test_page_is_aligned_and_marks_what_excludes_zero(variants, tmp_path):
    page = run_compare(variants, tmp_path)[1].read_text()
    for is_table, lines in itertools.groupby(page.splitlines(), lambda line: line.startswith("|")):
        lines = list(lines)
        if is_table:
            bars = [[i for i, c in enumerate(line) if c == "|"] for line in lines]
            assert all(row == bars[0] for row in bars)
        assert max(map(len, lines)) <= 130
    marked = [line.count("*") for line in page.splitlines() if line.startswith("| better")]
    assert marked == [0, 4, 0, 4]  # figures, differences; test, dev
    assert "SID" not in page  # nothing is tied


def test_figure_is_whole_and_does_not_change(variants, tmp_path):
    first = run_compare(variants, tmp_path / "1")[2].read_bytes()
    assert first == run_compare(variants, tmp_path / "2")[2].read_bytes()
    ElementTree.fromstring(first)


def test_compare_needs_the_reference_and_equal_users(variants, tmp_path):
    with pytest.raises(ValueError, match="no variant 'tiger'"):
        run_compare({"same": variants["same"]}, tmp_path)
    path = tmp_path / "fewer.parquet"
    pq.write_table(pq.read_table(variants["same"][0]).slice(1), path)
    with pytest.raises(ValueError, match=r"fewer.parquet and .*0.parquet differ in dev users"):
        run_compare({"tiger": variants["tiger"], "fewer": [str(path)]}, tmp_path)
    with pytest.raises(ValueError, match=r"fewer.parquet and .*0.parquet differ in users"):
        per_user.read([variants["same"][0], path], "dev")


def test_summary_has_mean_and_std_over_seeds(variants, tmp_path):
    (tmp_path / "statistics.json").write_text('{"users": 400}')
    output = tmp_path / "metrics.json"
    paths, given = variants["better"], (tmp_path / "statistics.json", output, "demo", "better")
    summarise.main(paths, *given, [0, 1], {"x": 1})
    summary = json.loads(output.read_text())
    _, better = per_user.read(variants["better"], "test")
    means = better["ndcg@10"].mean(axis=1)
    assert summary["test"]["ndcg@10"]["mean"] == pytest.approx(means.mean())
    assert summary["test"]["ndcg@10"]["std"] == pytest.approx(abs(means[0] - means[1]) / 2**0.5)
    assert (summary["seeds"], summary["users"]) == ([0, 1], USERS)
    assert summary["statistics"] == {"users": 400} and summary["config"] == {"x": 1}
    assert summary["versions"]["torch"] == provenance.versions()["torch"]

    summarise.main(paths[:1], *given, [0], {})
    assert json.loads(output.read_text())["test"]["ndcg@10"]["std"] is None


# Table 1 of the paper, Instruments: (Recall@5, Recall@10, NDCG@5, NDCG@10)
PRINTED = {
    "tiger": (0.0863, 0.1064, 0.0738, 0.0803),
    "smooth": (0.0882, 0.1086, 0.0752, 0.0810),
    "distill": (0.0949, 0.1151, 0.0814, 0.0870),
    "dtr": (0.1021, 0.1254, 0.0875, 0.0920),
}


@pytest.mark.parametrize(("name", "possible"), [("tiger", True), ("dtr", False)])
def test_figures_that_cannot_all_be_right_are_refused(name, possible):
    names = ["recall@5", "recall@10", "ndcg@5", "ndcg@10"]
    means = dict(zip(names, PRINTED[name], strict=True))
    if possible:
        tables.check(means, name)
    else:
        with pytest.raises(ValueError, match="dtr: from cutoff 5 to 10 recall grows"):
            tables.check(means, name)


def test_random_lists_satisfy_the_inequality_at_both_levels():
    rng = np.random.default_rng(1)
    own = figures(rng.integers(1, 40, USERS), np.zeros(USERS))
    tables.check({name: values.mean() for name, values in own.items()}, "random")
    with pytest.raises(ValueError, match="sid_ndcg must grow"):
        tables.check({"sid_recall@5": 0.1, "sid_ndcg@5": 0.2}, "wrong")
