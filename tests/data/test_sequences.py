import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import split_sequences

from lohrec.common import artefacts
from lohrec.data.examples import read_examples
from lohrec.data.interactions import table_3
from lohrec.data.sequences import leave_one_out
from lohrec.data.sources.lcrec import read_inter


def by_hand(lengths, history):
    """Examples as (split, user, start, stop), one user after another, in plain loops."""
    rows = {"train": [], "dev": [], "test": []}
    first = 0
    for user, length in enumerate(lengths):
        for position in range(1, length):
            split = {length - 1: "test", length - 2: "dev"}.get(position, "train")
            rows[split].append((split, user, first + max(0, position - history), first + position))
        first += length
    return rows["train"] + rows["dev"] + rows["test"]


@pytest.mark.parametrize("history", [1, 4, 20])
def test_windows_equal_plain_loops(history):
    lengths = np.random.default_rng(0).integers(3, 40, 60)
    table = leave_one_out(np.repeat(np.arange(60, dtype=np.int32), lengths), history)
    rows = [tuple(row.values()) for row in table.to_pylist()]
    assert rows == by_hand(lengths.tolist(), history)


def test_no_history_holds_a_later_item_or_another_users():
    lengths = np.array([3, 5, 30, 4])
    user = np.repeat(np.arange(4, dtype=np.int32), lengths)
    table = leave_one_out(user, 20)
    start, stop = table["start"].to_numpy(), table["stop"].to_numpy()
    assert (stop - start).min() == 1 and (stop - start).max() == 20
    assert (user[start] == table["user"].to_numpy()).all()
    assert (user[stop] == table["user"].to_numpy()).all()
    # Every position but the users' first is a target once.
    assert sorted(stop) == sorted(set(range(42)) - {0, 3, 8, 38})


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ([0, 0, 0, 1, 1], "user 1 has 2"),
        ([0, 0, 0, 2, 2, 2], "user 1 has 0"),
        ([0, 0, 0, 1, 1, 1, 0], "not sorted by user"),
        ([0, 0, 0, 1, 1, 1], "No user has more than 3 items"),
    ],
)
def test_unusable_users_are_named(user, message):
    with pytest.raises(ValueError, match=message):
        leave_one_out(np.array(user, dtype=np.int32), 20)


def test_published_instruments(real_data):
    kept = read_inter(real_data("lcrec/Instruments.inter.json"))
    table = leave_one_out(kept.user, 20)
    counts = {row["values"]: row["counts"] for row in pc.value_counts(table["split"]).to_pylist()}
    assert counts == {"train": 131_837, "dev": 24_772, "test": 24_772}
    assert counts == {split: table_3(kept)[split] for split in counts}


def test_script_writes_what_examples_reads(tmp_path):
    user = np.repeat(np.arange(3, dtype=np.int32), [5, 3, 25])
    item = np.random.default_rng(0).permutation(33).astype(np.int32)
    artefacts.write_parquet(
        tmp_path / "interactions.parquet",
        pa.table({"user": user, "item": item, "time": np.arange(33)}),
    )
    paths = [str(tmp_path / name) for name in ("sequences.npy", "examples.parquet")]
    split_sequences.main(str(tmp_path / "interactions.parquet"), *paths, {"history": 20})
    test = read_examples(*paths, "test")
    assert test.sequences.dtype == np.int32
    assert test.target.tolist() == item[[4, 7, 32]].tolist()
    assert test.length.tolist() == [4, 2, 20]
    assert test.histories(np.array([1])).tolist() == [item[5:7].tolist()]
    assert len(read_examples(*paths, "train")) == 2 + 0 + 22
