import itertools
import json
import re
import xml.etree.ElementTree as ElementTree

import compare
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import summarise
import tiny_lists

from lohrec.common import artefacts, provenance
from lohrec.data import sequences
from lohrec.evaluation import metrics, per_user, slices, tables

EVALUATION = {"cutoffs": [5, 10], "diversity": "text", "resamples": 300}
USERS = 400
SPLITS = ("dev", "test", "test_kept")  # test and dev lists leave the users' own items out


def figures(place, diversity):
    """Figures of users whose targets stand at `place`."""
    lists = tiny_lists.alike(USERS)
    of_places = metrics.accuracy(lists, place - 1, [5, 10])
    of_places |= metrics.reciprocal_rank(lists, place - 1, 20)
    return of_places | {"diversity@5": diversity, "diversity@10": diversity}


def write_seed(path, place, diversity):
    parts = [per_user.table(split, np.arange(USERS), figures(place, diversity)) for split in SPLITS]
    artefacts.write_parquet(path, pa.concat_tables(parts).unify_dictionaries())
    shown = {"catalogue_coverage@10": float(path.stem) / 10, "gini@10": 0.5, "unfilled@10": 0.0}
    artefacts.write_json(path.with_suffix(".json"), dict.fromkeys(SPLITS, shown))
    return str(path)


def written_data(folder, history):
    """sequences.npy and examples.parquet: 100 users each of 4, 6, 12 and 30 items."""
    rng = np.random.default_rng(1)
    length = np.tile([4, 6, 12, 30], USERS // 4)
    user = np.repeat(np.arange(USERS), length)
    artefacts.write_npy(folder / "sequences.npy", rng.integers(20, size=len(user)) ** 2 // 20)
    artefacts.write_parquet(folder / "examples.parquet", sequences.leave_one_out(user, history))
    return str(folder / "sequences.npy"), str(folder / "examples.parquet")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """As long histories as the slices tell apart."""
    return written_data(tmp_path_factory.mktemp("data"), 20)


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


def exposure_of(paths):
    return [path.replace(".parquet", ".json") for path in paths]


def run_compare(variants, data, folder, paired=(), **changed):
    outputs = [folder / f"comparison.{ending}" for ending in ("json", "md", "svg")]
    per_user_paths = [path for paths in variants.values() for path in paths]
    seeds = {name: len(paths) for name, paths in variants.items()}
    files = per_user_paths, exposure_of(per_user_paths), *data, *outputs[:2], outputs[2:]
    kinds = {name: "own" if name == "better" else "baseline" for name in variants}
    compare.main(*files, "demo", seeds, EVALUATION | changed, "tiger", {"tiger": [*paired]}, kinds)
    return outputs


def test_compare_finds_the_gain_and_no_other(variants, data, tmp_path):
    result = json.loads(run_compare(variants, data, tmp_path)[0].read_text())
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


def test_page_is_aligned_and_marks_what_excludes_zero(variants, data, tmp_path):
    page = run_compare(variants, data, tmp_path)[1].read_text()
    for is_table, lines in itertools.groupby(page.splitlines(), lambda line: line.startswith("|")):
        lines = list(lines)
        if is_table:
            bars = [[i for i, c in enumerate(line) if c == "|"] for line in lines]
            assert all(row == bars[0] for row in bars)
        assert max(map(len, lines)) <= 130
    marked = [line.count("*") for line in page.splitlines() if line.startswith("| better")]
    # Figures, lists, differences of test, of test once more and of dev; after the first its two
    # slicings in two metrics each.
    assert marked == [0, 0, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4]
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## Test set, own items left out, 400 users",
        "## Test set, own items kept, 400 users",
        "## Dev set, own items left out, 400 users",
    ]
    assert "SID" not in page  # nothing is tied


def test_the_page_says_of_which_variants_the_training_is_not_covered(variants, data, tmp_path):
    one = {name: paths[:1] for name, paths in variants.items()}
    page = run_compare(one, data, tmp_path)[1].read_text()
    assert "Each variant has one seed, so the intervals cover users only" in page
    assert "†" not in page
    page = run_compare(variants | {"better": one["better"]}, data, tmp_path)[1].read_text()
    rows = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| better")]
    assert "better †" in rows and "same †" not in page and "\n†: one seed" in page
    page = run_compare(variants | {"tiger": one["tiger"]}, data, tmp_path)[1].read_text()
    assert "†" not in page and "The reference tiger has one seed" in page
    assert ("n/a" in page) == ("n/a: tiger's own figure may be zero" in page)


def test_diversity_of_each_models_own_vectors_has_no_differences(variants, data, tmp_path):
    json_file, page, figure = run_compare(variants, data, tmp_path, diversity="model")
    of = json.loads(json_file.read_text())["splits"]["test"]["variants"]["better"]["metrics"]
    assert set(of["diversity@10"]) == {"mean", "std"} and "difference" in of["recall@10"]
    headers = [line for line in page.read_text().splitlines() if line.startswith("| variant")]
    # Figures, lists and differences of a split; the first alone have the column.
    assert ["Diversity@10" in line for line in headers[:3]] == [True, False, False]
    assert "within one variant only:\neach has vectors of its own" in page.read_text()
    assert "Diversity" not in figure.read_text() and "NDCG@10" in figure.read_text()


def test_the_figure_says_what_its_intervals_are(variants, data, tmp_path):
    def said(variants):
        svg = run_compare(variants, data, tmp_path)[2].read_text()
        return " ".join(re.findall("<!-- (.*?) -->", svg, re.DOTALL)).replace("\n", " ")

    one = {name: paths[:1] for name, paths in variants.items()}
    several = said(variants)
    assert "95% interval over users and seeds" in several and "one seed" not in several
    assert "filled: excludes zero, not corrected for the number of comparisons" in several
    assert "95% interval over users alone, for each has one seed" in said(one)
    mixed = said(variants | {"better": one["better"]})
    assert "better: one seed, so that the interval covers users only" in mixed
    assert "n/a" not in mixed
    # What has nothing found of the reference's has no share of it.
    nobody = [write_seed(tmp_path / "0.parquet", np.full(USERS, 60), np.full(USERS, 0.5))]
    assert "n/a: tiger's own figure may be zero" in said(variants | {"tiger": nobody})


def test_seeds_that_differ_more_than_users_take_the_star_away(variants, data, tmp_path):
    """A difference that users alone make sure, of two seeds each that lie further apart."""
    rng = np.random.default_rng(5)
    place = rng.integers(1, 60, size=USERS)
    paths = {
        name: [
            write_seed(tmp_path / name / f"{seed}.parquet", np.maximum(1, place - gain), place / 60)
            for seed, gain in enumerate(gains)
        ]
        for name, gains in {"tiger": (0, 8), "other": (6, 16)}.items()
    }
    result = json.loads(run_compare(paths, data, tmp_path)[0].read_text())
    gain = result["splits"]["test"]["variants"]["other"]["metrics"]["recall@10"]
    _, tiger = per_user.read(paths["tiger"], "test")
    _, other = per_user.read(paths["other"], "test")
    difference = (other["recall@10"] - tiger["recall@10"]).mean(axis=0)
    assert difference.mean() > 3 * difference.std() / np.sqrt(USERS)
    assert not gain["excludes_zero"] and gain["difference"]["p"] > 0.05


def test_what_goes_on_from_the_reference_is_held_against_it_seed_by_seed(variants, data, tmp_path):
    """A small loss of every seed is sure, however far the seeds lie apart."""
    rng = np.random.default_rng(5)
    place = rng.integers(1, 40, size=USERS)
    paths = {"tiger": [], "more": []}
    for seed, gain in enumerate((0, 8, 16)):
        of_seed = np.maximum(1, place - gain)
        later = np.where((of_seed > 8) & (of_seed <= 10), 11, of_seed)
        for name, places in (("tiger", of_seed), ("more", later)):
            paths[name].append(write_seed(tmp_path / name / f"{seed}.parquet", places, place / 60))
    gains, pages = [], []
    for paired in ([], ["more"]):
        outputs = run_compare(paths, data, tmp_path, paired)
        result = json.loads(outputs[0].read_text())
        gains.append(result["splits"]["test"]["variants"]["more"]["metrics"]["recall@10"])
        pages.append(outputs[1].read_text())
    apart, together = gains
    assert apart["difference"]["mean"] == together["difference"]["mean"] < 0
    assert not apart["excludes_zero"] and apart["difference"]["p"] > 0.5
    assert together["excludes_zero"] and together["difference"]["p"] < 0.05
    note = "Of more the same seeds are drawn as of tiger"
    assert note not in pages[0] and note in pages[1]


@pytest.mark.parametrize("history", [20, 8])
def test_slices_are_counted_user_by_user(variants, history, tmp_path):
    """By whole histories, however many items of them models read."""
    data = written_data(tmp_path, history)
    result = json.loads(run_compare(variants, data, tmp_path)[0].read_text())
    array, cut = np.load(data[0]), pq.read_table(data[1]).to_pylist()
    # Train interactions are a user's but for the last two.
    length = np.tile([4, 6, 12, 30], USERS // 4)
    begin = np.cumsum(length) - length
    count = [0] * (array.max() + 1)
    for first, own in zip(begin, length, strict=True):
        for item in array[first : first + own - 2]:
            count[item] += 1
    for split in ("dev", "test"):
        members = {"history": {}, "popularity": {}}
        for row in cut:
            if row["split"] == split:
                items, target = row["stop"] - begin[row["user"]], array[row["stop"]]
                names = {"to 4": 0, "5 to 9": 5, "10 to 19": 10, "from 20": 20}
                of_length = [name for name, least in names.items() if items >= least][-1]
                above = sum(times for times in count if times > count[target]) / sum(count)
                third = "head" if above < 1 / 3 else "middle" if above < 2 / 3 else "tail"
                members["history"].setdefault(of_length, []).append(row["user"])
                members["popularity"].setdefault(third, []).append(row["user"])
        for kind, own in result["splits"][split]["slices"].items():
            assert own.keys() == members[kind].keys() and len(own) >= 3
            assert kind != "history" or "from 20" in own
            for name, users in members[kind].items():
                assert own[name]["users"] == len(users)
                for variant in ("tiger", "better"):
                    _, every = per_user.read(variants[variant], split)
                    for metric in ("recall@10", "ndcg@10"):
                        seeds = [np.mean([one[u] for u in users]) for one in every[metric]]
                        figure = own[name]["variants"][variant][metric]
                        assert figure["mean"] == pytest.approx(np.mean(seeds))
                        assert figure["std"] == pytest.approx(np.std(seeds, ddof=1))


def test_items_that_no_train_interaction_has_are_of_the_tail():
    got = slices.by_popularity(np.array([0, 1, 2, 3, 3]), np.array([5, 5, 2, 0]))
    # Equally popular items are together, though the first alone has more than a third.
    assert {name: mask.tolist() for name, mask in got.items()} == {
        "head": [True, True, False, False, False],
        "tail": [False, False, True, True, True],
    }


def test_figure_is_whole_and_does_not_change(variants, data, tmp_path):
    first = run_compare(variants, data, tmp_path / "1")[2].read_bytes()
    assert first == run_compare(variants, data, tmp_path / "2")[2].read_bytes()
    ElementTree.fromstring(first)


def test_compare_needs_the_reference_and_equal_users(variants, data, tmp_path):
    with pytest.raises(ValueError, match="no variant 'tiger'"):
        run_compare({"same": variants["same"]}, data, tmp_path)
    path = tmp_path / "fewer.parquet"
    pq.write_table(pq.read_table(variants["same"][0]).slice(1), path)
    artefacts.write_json(tmp_path / "fewer.json", {split: {} for split in SPLITS})
    with pytest.raises(ValueError, match=r"fewer.parquet and .*0.parquet differ in dev users"):
        run_compare({"tiger": variants["tiger"], "fewer": [str(path)]}, data, tmp_path)
    with pytest.raises(ValueError, match=r"fewer.parquet and .*0.parquet differ in users"):
        per_user.read([variants["same"][0], path], "dev")


def test_summary_has_mean_and_std_over_seeds(variants, tmp_path):
    (tmp_path / "statistics.json").write_text('{"users": 400}')
    output = tmp_path / "metrics.json"
    paths, given = variants["better"], (tmp_path / "statistics.json", output, "demo", "better")
    summarise.main(paths, exposure_of(paths), *given, [0, 1], {"x": 1})
    summary = json.loads(output.read_text())
    assert summary["exclude_history"] is True and summary["test_kept"] == summary["test"]
    _, better = per_user.read(variants["better"], "test")
    means = better["ndcg@10"].mean(axis=1)
    assert summary["test"]["ndcg@10"]["mean"] == pytest.approx(means.mean())
    assert summary["test"]["ndcg@10"]["std"] == pytest.approx(abs(means[0] - means[1]) / 2**0.5)
    shown = summary["test"]["catalogue_coverage@10"]
    assert shown == pytest.approx({"mean": 0.05, "std": 0.1 / 2**0.5})
    assert (summary["seeds"], summary["users"]) == ([0, 1], USERS)
    assert summary["statistics"] == {"users": 400} and summary["config"] == {"x": 1}
    assert summary["versions"]["torch"] == provenance.versions()["torch"]

    summarise.main(paths[:1], exposure_of(paths[:1]), *given, [0], {})
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
