"""The source without the newest items: which they are, and what is left of the others."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lohrec.data.sources import older_items

# User by user, in order of time: item 3 appears first at 50, item 2 at 40. Days, and in seconds.
USER = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
ITEM = [0, 1, 2, 3, 1, 0, 3, 4, 4, 1, 0, 2]
TIME = [1, 2, 60, 70, 1, 3, 50, 55, 2, 3, 4, 40]
SECONDS = [1_500_000_000 + 86_400 * day for day in TIME]


def written(tmp_path: Path, time: list[int] = SECONDS) -> dict[str, Path]:
    columns = {
        "interactions": {"user": USER, "item": ITEM, "time": time},
        "catalogue": {
            "asin": ["A", "B", "C", "D", "E"],
            "title": ["a", "b", "c", "d", None],
            "description": ["", "", "", "", "e"],
            "categories": [["x"], [], [], [], []],
            "brand": [None] * 5,
            "price": ["1"] * 5,
        },
        "users": {"reviewer": ["zoe", "bob", "ann"]},
    }
    for name, table in columns.items():
        pq.write_table(pa.table(table), tmp_path / name)
    return {name: tmp_path / name for name in columns}


@pytest.mark.parametrize(("share", "new"), [(0.01, [3]), (0.2, [3]), (0.4, [2, 3])])
def test_the_newest_are_those_that_appear_last(share, new) -> None:
    assert older_items.newest(np.array(ITEM), np.array(TIME), share).tolist() == new


def test_of_items_of_one_time_some_are_drawn_whatever_they_are_called() -> None:
    item, time = np.arange(100), np.zeros(100, np.int64)
    new = older_items.newest(item, time, 0.1)
    assert len(set(new.tolist())) == 10 and new.tolist() == sorted(new)
    assert new.min() < 80  # not the last by name
    np.testing.assert_array_equal(new, older_items.newest(item, time, 0.1))


def test_the_others_keep_their_order_their_users_and_their_texts(tmp_path) -> None:
    paths = written(tmp_path)
    read = older_items.read(paths, 2, 0.2)
    kept = read.interactions
    users, items = kept.users.to_pylist(), kept.items.to_pylist()
    sequences: dict[str, str] = {}
    for user, item in zip(kept.user, kept.item, strict=True):
        sequences[users[user]] = sequences.get(users[user], "") + items[item]
    assert sequences == {"zoe": "ABC", "bob": "BAE", "ann": "EBAC"}
    assert read.texts["A"].title == "a" and list(read.texts["A"].categories) == ["x"]
    assert read.texts["E"].title == "" and read.texts["E"].description == "e"
    assert read.counted["held_out_items"] == 1
    # The core is taken again: without C and E, of two users each, nobody has three items.
    with pytest.raises(ValueError, match="No 3-core"):
        older_items.read(paths, 3, 0.2)


@pytest.mark.parametrize(
    ("time", "largest"),
    [
        ([0, 1, 2, 3] * 3, "3"),  # places in lists
        (TIME, "70"),
        ([10**9 + 86_400 * n for n in range(4)] * 3, "1000259200"),  # day k for the k-th item
    ],
)
def test_times_that_only_order_each_users_items_tell_no_newest(tmp_path, time, largest) -> None:
    paths = written(tmp_path, time)
    said = rf"{paths['interactions']}: times, the largest {largest}, only .*Take a dataset whose"
    with pytest.raises(ValueError, match=said):
        older_items.read(paths, 2, 0.2)


def test_true_times_of_any_unit_are_taken_and_all_at_a_few_moments_too(tmp_path) -> None:
    for unit in (1, 10**3, 10**6, 10**9):
        time = [second * unit for second in SECONDS]
        assert older_items.read(written(tmp_path, time), 2, 0.2).counted["held_out_items"] == 1
    days = [SECONDS[0]] * 4 + [SECONDS[0]] * 2 + [SECONDS[1]] * 2 + [SECONDS[0]] * 4
    assert older_items.read(written(tmp_path, days), 2, 0.2).counted["held_out_items"] == 1
