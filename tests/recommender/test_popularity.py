import json
from collections import Counter

import evaluate
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import recommend

from lohrec.common import artefacts
from lohrec.data import catalogue
from lohrec.data.examples import Examples, read_examples
from lohrec.evaluation import metrics, ranked_lists, recommendations
from lohrec.recommender.baselines import popularity
from lohrec.recommender.inputs import Inputs
from lohrec.recommender.recommender import named

LENGTHS = [3, 5, 30, 8, 26]  # interactions of each user


def write_dataset(folder, sequences):
    """sequences.npy and examples.parquet of leave-one-out with histories of at most 20."""
    np.save(folder / "sequences.npy", np.concatenate(sequences).astype(np.int32))
    rows = []
    begin = 0
    for user, items in enumerate(sequences):
        n = len(items)
        for place in range(1, n):
            split = {n - 1: "test", n - 2: "dev"}.get(place, "train")
            rows.append((split, user, begin + max(0, place - 20), begin + place))
        begin += n
    rows.sort(key=lambda row: (["train", "dev", "test"].index(row[0]), *row[1:]))
    split, user, start, stop = zip(*rows, strict=True)
    table = pa.table(
        {
            "split": pa.array(split).dictionary_encode(),
            "user": pa.array(user, pa.int32()),
            "start": pa.array(start, pa.int64()),
            "stop": pa.array(stop, pa.int64()),
        }
    )
    pq.write_table(table, folder / "examples.parquet")
    return str(folder / "sequences.npy"), str(folder / "examples.parquet")


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(0)
    sequences = [rng.permutation(40)[:length] for length in LENGTHS]
    sequences[4][-1] = 40  # an item that stands in the test split only
    return sequences, *write_dataset(tmp_path, sequences)


def test_only_train_interactions_count(dataset):
    sequences, *paths = dataset
    train = read_examples(*paths, "train")
    # A user of three interactions has no train target.
    expected = Counter(item for items in sequences if len(items) > 3 for item in items[:-2])
    counts = catalogue.counts(train, 41)
    assert counts.tolist() == [expected[item] for item in range(41)]


def test_order_is_by_count_and_then_by_item():
    counts = np.array([1, 3, 0, 3, 1])
    got = popularity.most_popular(counts, np.full((2, 1), -1), 4, exclude_history=False)
    assert got.tolist() == [[1, 3, 0, 4]] * 2


def test_history_is_left_out_and_lists_stay_full():
    counts = np.array([1, 3, 0, 3, 1])
    histories = np.array([[1, 2, -1], [-1, -1, -1], [0, 3, 4]])
    got = popularity.most_popular(counts, histories, 3, exclude_history=True)
    assert got.tolist() == [[3, 0, 4], [1, 3, 0], [1, 2, -1]]


@pytest.mark.parametrize(
    ("exclude_history", "repeats", "left_out"),
    [(False, 0, False), (True, 9, True), ("auto", 0, True), ("auto", 1, False)],
)
def test_script_makes_both_lists_of_every_test_user_and_they_are_evaluated(
    dataset, tmp_path, monkeypatch, exclude_history, repeats, left_out
):
    monkeypatch.setattr(recommend, "USERS", 2)  # of five
    sequences, *paths = dataset
    output, statistics = tmp_path / "recommendations.parquet", tmp_path / "statistics.json"
    artefacts.write_json(statistics, {"repeats": repeats})
    train = read_examples(*paths, "train")
    known = catalogue.Catalogue(list(map(str, range(41))), [""] * 41, catalogue.counts(train, 41))
    fitted = named("popularity").fit(Inputs(train, train, known, 20), {}, 0)
    fitted.save(tmp_path / "model")
    decoding = {"top": 10, "exclude_history": exclude_history}
    given = str(tmp_path / "model"), *paths, statistics, output, decoding
    recommend.main(*given, 16, {"count": 0, "memory_gb": 0}, 1, both=True)
    rows = pq.read_table(output).to_pylist()
    other = "test_kept" if left_out else "test_left_out"
    splits = ["dev", "test", other]
    assert recommendations.splits(output) == splits
    assert recommendations.excludes_history(splits) is left_out
    assert len(rows) == 3 * 10 * len(LENGTHS)
    assert [row["user"] for row in rows[::10]] == [*range(len(LENGTHS))] * 3

    def seen(split, history):
        own = {row["item"] for row in rows if row["split"] == split and row["user"] == 4}
        return bool(own & set(history.tolist()))

    assert seen("dev", sequences[4][:-2]) is not left_out
    assert seen("test", sequences[4][:-1]) is not left_out
    assert seen(other, sequences[4][:-1]) is left_out

    np.save(tmp_path / "vectors.npy", np.eye(41))
    figures, exposure = tmp_path / "per_user.parquet", tmp_path / "exposure.json"
    settings = {"cutoffs": [5, 10], "top": 10}
    evaluate.main(output, *paths, tmp_path / "vectors.npy", figures, exposure, settings)
    measured = pq.read_table(figures).to_pylist()
    assert len(measured) == 3 * len(LENGTHS) and list(artefacts.read_json(exposure)) == splits
    for row in measured:
        items = sequences[row["user"]]
        target = items[-2 if row["split"] == "dev" else -1]
        listed = [r["item"] for r in rows if (r["split"], r["user"]) == (row["split"], row["user"])]
        assert row["recall@10"] == (target in listed)
        assert row["ild@5"] == pytest.approx(1)


def test_instruments_figures_of_an_independent_trial(real_data):
    published = json.loads(real_data("lcrec/Instruments.inter.json").read_text())
    sequences = [np.array(items) for _, items in sorted(published.items(), key=lambda i: int(i[0]))]
    length = np.array([len(items) for items in sequences])
    stop = np.cumsum(length)
    users = np.arange(len(sequences))
    # One train example a user with an open window covers the same interactions as all of them.
    train = Examples(np.concatenate(sequences), users, stop - length, stop - 3)
    items = train.sequences.max() + 1
    counts = catalogue.counts(train, items)
    assert counts.sum() == length.sum() - 2 * len(users)
    top = popularity.most_popular(counts, np.full((len(users), 1), -1), 20, exclude_history=False)
    rank = np.tile(np.arange(1, 21), len(users))
    lists = ranked_lists.from_arrays(np.repeat(users, 20), rank, top.ravel(), users, items)
    figures = metrics.accuracy(lists, train.sequences[stop - 1], [10])
    assert figures["recall@10"].mean() == pytest.approx(0.047, abs=0.001)
    assert figures["ndcg@10"].mean() == pytest.approx(0.022, abs=0.001)
