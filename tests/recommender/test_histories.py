"""Histories in all the ways in which they are given, and what is refused."""

import numpy as np
import pytest
import tiny_shop

from lohrec.data.catalogue import Catalogue
from lohrec.recommender.histories import numbers

# Names of digits, as some shops have them; none is its own number.
NAMES = ["30", "2", "0", "1", "x"]
CATALOGUE = Catalogue(NAMES, [""] * 5, np.arange(5))


def read(histories, most=20) -> tuple[list[list[int]], list[int]]:
    """The known items of each user, and how many are unknown."""
    items, length, unknown, _ = numbers(histories, CATALOGUE, most)
    assert items.dtype == length.dtype == unknown.dtype == np.int64
    assert items.shape == (len(length), max(length, default=0)) == (len(unknown), items.shape[1])
    for row, count in zip(items, length, strict=True):
        assert (row[:count] >= 0).all() and (row[count:] == -1).all()
    return [row[:n].tolist() for row, n in zip(items, length, strict=True)], unknown.tolist()


def test_what_is_older_than_what_is_read_is_told() -> None:
    older = numbers([[0, 1, 0, 9, 2, 3], [4, 4], [1, 1, 2, 3]], CATALOGUE, 2).older
    assert older.tolist() == [[0, 0], [0, 1], [2, 1]]
    assert numbers([], CATALOGUE, 2).older.shape == (0, 2)


def test_texts_are_names_and_integers_are_numbers() -> None:
    assert read([["2", "x"], [2, 4]]) == ([[1, 4], [2, 4]], [0, 0])


@pytest.mark.parametrize(
    "histories",
    [
        [["30", "x", "x"], ["1"], []],
        [("30", "x", "x"), iter(["1"]), ()],
        (row for row in [["30", "x", "x"], ["1"], []]),
        [np.array(["30", "x", "x"]), np.array(["1"], dtype=object), np.array([])],
        np.array([["30", "x", "x"], ["1"], []], dtype=object),  # a column of lists
        [[0, 4, 4], [np.int32(3)], []],
        [np.array([0, 4, 4]), np.array([3, -1], np.int8), np.array([-1])],
        np.array([[0, 4, 4], [3, -1, -1], [-1, -1, -1]]),
        np.array([[0, 4, 4], [-1, -1, 3], [-1, -1, -1]], np.int16),
    ],
)
def test_the_same_histories(histories) -> None:
    assert read(histories) == ([[0, 4, 4], [3], []], [0, 0, 0])


def test_unknown_items_are_skipped_and_counted() -> None:
    assert read([["no such", "2", "-1"], [5, 1, -7]]) == ([[1], [1]], [2, 2])
    assert read(np.array([[5, 1], [1, 2]])) == ([[1], [1, 2]], [1, 0])
    assert read(np.array([["2", "y"], ["0", "0"]])) == ([[1], [2, 2]], [1, 0])


def test_the_last_known_items_are_kept() -> None:
    long = [*range(5)] * 6
    assert read([[*long, "y"]], 7)[0] == read(np.array([long]), 7)[0] == [long[-7:]]


def test_no_users_and_no_items() -> None:
    for nobody in ([], np.array([]), np.empty((0, 3), int), iter(())):
        assert read(nobody) == ([], [])
    assert read(np.empty((2, 0))) == ([[], []], [0, 0])


@pytest.mark.parametrize("histories", ["x", ["x"], [b"x"], [3], np.array([3, 1]), [None], {"x": 1}])
def test_a_history_is_a_list(histories) -> None:
    with pytest.raises(TypeError, match="a list of items, not"):
        read(histories)


@pytest.mark.parametrize(
    "histories",
    [[[1.0]], [[None]], [[True]], [["x", float("nan")]], np.array([[1.0, 2.0]]), np.eye(2) > 0],
)
def test_an_item_is_a_text_or_an_integer(histories) -> None:
    with pytest.raises(TypeError, match="a name or a number, not"):
        read(histories)


def test_lists_longer_than_the_catalogue_cost_nothing(tmp_path) -> None:
    shop = tiny_shop.make(tmp_path)
    for name in ("generative", "popularity"):
        lists = shop.fit(name).recommend([[1, 2], ["no such"]], np.int64(10**9))
        every = {*shop.catalogue.names}
        assert len(lists[0]) == len(every) - 2 and len(lists[1]) == len(every)
        assert {item for item, _ in lists[1]} == every


def test_a_folder_that_holds_something_is_left_alone(tmp_path) -> None:
    fitted = tiny_shop.make(tmp_path).fit("popularity")
    fitted.save(tmp_path / "model")
    with pytest.raises(FileExistsError, match="model is not empty"):
        fitted.save(tmp_path / "model")
