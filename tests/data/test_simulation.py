import gzip
import json
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
import simulate_reviews
from sklearn.feature_extraction.text import TfidfVectorizer

from lohrec.data import shop
from lohrec.data.sources import simulated

SETTINGS = {"users": 2000, "items": 600, "mean_length": 9, "seed": 0}


def read_lines(path):
    """Lines that are JSON objects, and the number of those that are not."""
    good, bad = [], 0
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            try:
                good.append(json.loads(line))
            except json.JSONDecodeError:
                bad += 1
    return good, bad


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    simulate_reviews.main(str(folder / "reviews.gz"), str(folder / "metadata.gz"), SETTINGS)
    return folder


@pytest.fixture(scope="module")
def metadata(folder):
    return {row["asin"]: row for row in read_lines(folder / "metadata.gz")[0] if "asin" in row}


@pytest.fixture(scope="module")
def sequences(folder, metadata):
    """Sequences after a 5-core, written as directly as possible."""
    times = {
        (row["reviewerID"], row["asin"]): row["unixReviewTime"]
        for row in read_lines(folder / "reviews.gz")[0]
        if "reviewerID" in row and row["asin"] in metadata
    }
    while True:
        users, items = Counter(u for u, _ in times), Counter(i for _, i in times)
        core = {k: t for k, t in times.items() if users[k[0]] >= 5 and items[k[1]] >= 5}
        if len(core) == len(times):
            break
        times = core
    by_user = defaultdict(list)
    for (user, item), time in times.items():
        by_user[user].append((time, item))
    return [[item for _, item in sorted(row)] for row in by_user.values()]


def test_equal_settings_give_equal_bytes(folder, tmp_path):
    def write(**changes):
        simulated.write_simulation(tmp_path / "r", tmp_path / "m", **SETTINGS | changes)
        return (tmp_path / "r").read_bytes(), (tmp_path / "m").read_bytes()

    first = (folder / "reviews.gz").read_bytes(), (folder / "metadata.gz").read_bytes()
    assert write() == first
    other = write(seed=1)
    assert other[0] != first[0] and other[1] != first[1]


def test_more_users_are_written_in_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(simulated, "CHUNK", 64)
    counts = simulated.write_simulation(tmp_path / "r", tmp_path / "m", 200, 60, 9, 0)
    rows, _ = read_lines(tmp_path / "r")
    assert len({row["reviewerID"] for row in rows if "reviewerID" in row}) == 200
    assert counts["broken"] >= 4  # one a chunk at least


def test_review_layout(folder):
    rows, _ = read_lines(folder / "reviews.gz")
    whole = [row for row in rows if "reviewerID" in row]
    for row in whole:
        assert set(row) == {
            "reviewerID", "asin", "overall", "unixReviewTime", "reviewText", "summary",
        }  # fmt: skip
        assert row["overall"] in (1.0, 2.0, 3.0, 4.0, 5.0)
        assert row["unixReviewTime"] % 86_400 == 0
        assert 2009 < 1970 + row["unixReviewTime"] / 31_556_952 < 2022
    assert len({row["reviewerID"] for row in whole}) == SETTINGS["users"]


def test_metadata_layout(metadata):
    for row in metadata.values():
        assert set(row) == {"asin", "title", "description", "category", "brand"}
        assert len(row["asin"]) == 10
        assert row["title"] and isinstance(row["description"], list)
    nested = [row["category"] for row in metadata.values() if len(row["category"]) == 3]
    assert len(nested) >= 0.97 * len(metadata)
    # A tree: every subcategory has one category, every category one department.
    for level in (1, 2):
        pairs = {(path[level - 1], path[level]) for path in nested}
        assert len(pairs) == len({path[level] for path in nested})
    assert len({path[0] for path in nested}) < len({path[1] for path in nested})
    text = " ".join(row["title"] + " ".join(row["description"]) for row in metadata.values())
    for markup in ("&amp;", "&#39;", "<b>", "<br />"):
        assert markup in text


def test_dirty_lines_are_counted(folder, tmp_path):
    counts = simulated.write_simulation(tmp_path / "r", tmp_path / "m", **SETTINGS)
    rows, broken = read_lines(tmp_path / "r")
    whole = [(row["reviewerID"], row["asin"]) for row in rows if "reviewerID" in row]
    assert broken == counts["broken"] > 10
    assert len(rows) - len(whole) == counts["without_key"] > 10
    assert len(whole) - len(set(whole)) == counts["repeated"] > 10
    assert len(set(whole)) == counts["interactions"]
    described = {row["asin"] for row in read_lines(tmp_path / "m")[0] if "asin" in row}
    assert SETTINGS["items"] - len(described) == counts["items_without_metadata"] > 0
    assert any(asin not in described for _, asin in whole)
    assert any(n < 5 for n in Counter(user for user, _ in whole).values())


def test_size_after_the_core(sequences):
    assert 1500 <= len(sequences) <= 2000
    assert 400 <= len({item for row in sequences for item in row}) <= 600
    assert 7 < np.mean([len(row) for row in sequences]) < 10


def test_popularity_is_skewed(sequences):
    counts = np.sort(list(Counter(i for row in sequences for i in row).values()))[::-1]
    assert counts[: len(counts) // 10].sum() > 0.25 * counts.sum()


def recall(sequences, histories, size=10):
    """Recall@10 of each user's last item by counts of (last item, next item), then popularity."""
    follows, popularity = defaultdict(Counter), Counter()
    for history in histories:
        popularity.update(history)
        for a, b in pairwise(history):
            follows[a][b] += 1
    popular = [item for item, _ in popularity.most_common(size)]
    hits = popular_hits = 0
    for row in sequences:
        ranked = [item for item, _ in follows[row[-2]].most_common(size)]
        ranked += [item for item in popular if item not in ranked]
        hits += row[-1] in ranked[:size]
        popular_hits += row[-1] in popular
    return hits / len(sequences), popular_hits / len(sequences)


def test_order_matters(sequences):
    markov, popularity = recall(sequences, [row[:-1] for row in sequences])
    rng = np.random.default_rng(0)
    unordered, _ = recall(sequences, [rng.permutation(row[:-1]).tolist() for row in sequences])
    assert markov > 4 * popularity
    assert markov > 1.25 * unordered


def test_what_lies_before_the_last_item_matters():
    rng = np.random.default_rng(0)
    catalogue = shop.make_catalogue(600, rng)
    user, item, _ = shop.make_sequences(catalogue, 2000, 9, rng)
    same = (user[2:] == user[:-2]).nonzero()[0]
    a, b, c = item[same], item[same + 1], item[same + 2]
    # After an accessory comes the sequel of what stood before it.
    beside = (catalogue.accessory[a] == b) & (catalogue.sequel[a] >= 0)
    assert beside.sum() > 100
    assert (catalogue.sequel[a] == c)[beside].mean() > 0.35
    # Who went to a neighbouring subcategory goes on in the same direction.
    first = catalogue.leaf[b] - catalogue.leaf[a]
    second = catalogue.leaf[c] - catalogue.leaf[b]
    steps = (abs(first) == 1) & (abs(second) == 1)
    assert (first == second)[steps].mean() > 0.8


def test_sequences():
    rng = np.random.default_rng(3)
    catalogue = shop.make_catalogue(60, rng)
    user, item, day = shop.make_sequences(catalogue, 500, 12, rng)
    assert (np.diff(user) >= 0).all()
    assert len(np.unique(user * 60 + item)) == len(item)  # no user meets an item twice
    gaps = np.diff(day)[np.diff(user) == 0]
    assert gaps.min() == 0 and 0.05 < (gaps == 0).mean() < 0.2


def test_catalogue():
    catalogue = shop.make_catalogue(600, np.random.default_rng(0))
    followed = np.flatnonzero(catalogue.sequel >= 0)
    sequel = catalogue.sequel[followed]
    assert (catalogue.instalment[sequel] == catalogue.instalment[followed] + 1).all()
    assert (catalogue.line[sequel] == catalogue.line[followed]).all()
    fitted = np.flatnonzero(catalogue.accessory >= 0)
    assert (catalogue.instalment[catalogue.accessory[fitted]] == 0).all()
    assert (catalogue.line[catalogue.accessory[fitted]] == catalogue.line[fitted]).all()
    assert (np.diff(catalogue.leaf) >= 0).all()
    assert len(np.unique(catalogue.leaf)) == catalogue.leaf[-1] + 1 == 50
    same_line = np.diff(catalogue.line) == 0
    assert (np.diff(catalogue.brand)[same_line] == 0).all()
    assert (np.diff(catalogue.leaf)[same_line] == 0).all()
    assert catalogue.weight.sum() == pytest.approx(1)


def test_text_tells_the_hierarchy(metadata):
    rows = [row for row in metadata.values() if row["category"] and row["description"]]
    text = [row["title"] + " " + " ".join(row["description"]) for row in rows]
    vectors = TfidfVectorizer().fit_transform(text)
    similar = (vectors @ vectors.T).toarray()
    np.fill_diagonal(similar, np.nan)
    paths = np.array([row["category"] for row in rows])
    shared = (paths[:, None] == paths[None]).sum(axis=2)
    near = [np.nanmean(similar[shared == depth]) for depth in range(4)]
    assert near == sorted(near) and near[3] > 3 * near[0]


@pytest.mark.parametrize(
    ("change", "named"), [({"items": 10}, "items"), ({"mean_length": 5}, "mean_length")]
)
def test_impossible_settings_are_named(tmp_path, change, named):
    with pytest.raises(ValueError, match=rf"simulation\.{named}"):
        simulated.write_simulation(tmp_path / "r", tmp_path / "m", **SETTINGS | change)
    assert not list(tmp_path.iterdir())
