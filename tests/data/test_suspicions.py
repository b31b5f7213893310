"""What looks wrong is said on the terminal and in the report."""

import re
from pathlib import Path

import ingest as script
import numpy as np
import pyarrow as pa
import pytest
from tiny_tables import DEFAULT, ROWS, START, text

from lohrec.common import artefacts
from lohrec.data import suspicions


def test_ties_are_pairs_of_one_user_and_one_time() -> None:
    user = np.array([0, 0, 0, 1, 1, 2, 2])
    time = np.array([1, 2, 2, 2, 3, 3, 3])
    assert suspicions.ties(user, time) == {"tied_pairs": 2 / 4, "tied_tests": 2 / 3}
    assert suspicions.ties(np.array([0]), np.array([1])) == {"tied_pairs": 0, "tied_tests": 0}


@pytest.mark.parametrize(
    ("time", "ties", "said"),
    [
        ([1, 2, 3], {"tied_pairs": 0.1, "tied_tests": 0.1}, []),
        ([1, 2, 3], {"tied_pairs": 0.3, "tied_tests": 0.1}, ["30% of the pairs.*partly chance"]),
        ([4, 4, 4], {"tied_pairs": 1.0, "tied_tests": 1.0}, ["the same time.*is chance"]),
        ([-3, -2, -1], {"tied_pairs": 0.0}, ["all times are negative"]),
        ([-3, 2, 1], {"tied_pairs": 0.0}, ["1 of 3 times are negative"]),
        ([0, START, 1_500_000, START], {"tied_pairs": 0.0}, ["2 of 4 times are before 1973"]),
        ([0, 1000 * START], {"tied_pairs": 0.0}, ["1 of 2 times are before 1973"]),
    ],
)
def test_times(time: list, ties: dict, said: list) -> None:
    found = suspicions.of_times(np.array(time), ties)
    assert len(found) == len(said)
    for one, pattern in zip(found, said, strict=True):
        assert re.search(pattern, one)


def purchases(step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """User, item and time of 60 users, each with four purchases of three items; times by `step`."""
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(60), 12)
    item = np.concatenate([rng.choice(40, 12, replace=False) for _ in range(60)])
    time = np.repeat(START + step * rng.integers(0, 10**8 // step, 240), 3)
    return user, item, time


def exchanged(user: np.ndarray, item: np.ndarray, time: np.ndarray, names: str = "xy") -> list[str]:
    """What is said of interactions whose names begin so."""
    order = np.lexsort((time, user))
    user, item, time = user[order], item[order], time[order]
    users, items = (pa.array([f"{name}{n:03}" for n in range(60)]) for name in names)
    tied = suspicions.ties(user, time)["tied_pairs"]
    return suspicions.of_roles(users, items, item, time, tied)


def test_exchanged_columns_are_told_by_purchases_of_several_items() -> None:
    user, item, time = purchases(step=1)
    assert exchanged(user, item, time) == []
    (said,) = exchanged(item, user, time)
    assert re.search("73% of the pairs of an item's consecutive .* 0% of those", said)
    # Of days, an item has many users at once, too; and places in a list are no times.
    user, item, time = purchases(step=86_400)
    assert exchanged(item, user, time) == exchanged(item, user, time + 3600) == []
    assert exchanged(item, user, np.arange(720) // 3) == []


def test_exchanged_columns_are_told_by_names() -> None:
    rows = purchases(step=86_400)
    for wrong in (("item_", "user_"), ("Product ", "c"), ("B0ABCDE", "A"), ("i", "u")):
        (said,) = exchanged(*rows, wrong)
        assert said.startswith(f"users are called as items are ({wrong[0]}000), and items are not")
        assert exchanged(*rows, wrong[::-1]) == []
    assert exchanged(*rows, ("i", "i")) == exchanged(*rows, ("1", "1")) == []


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["0", "00", "7", "10", "010", "x"], "2 users .*: '0' and '00'; '010' and '10'$"),
        (["7", "7.0", "7.5"], "1 users .*: '7' and '7.0'$"),
        (["Anna", "anna", "annA b"], "1 users .*: 'Anna' and 'anna'$"),
        (["u\u200b", "u"], r"1 users .*: 'u' and 'u\\u200b'$"),
        (["\u00e9", "e\u0301"], r"1 users .*: 'e\\u0301' and '\\xe9'$"),
        (["1.23E+11", "e", "E+1"], r"1 users .*rounded \(1\.23E\+11\): several may be made one"),
    ],
)
def test_names_that_may_be_meant_for_one(names: list[str], shown: str) -> None:
    (said,) = suspicions.of_names(pa.array(names), "users")
    assert re.search(shown, said)
    other = pa.array(["0", "1", "a0", "0a", "1.5", "15", "a b", "ab"])
    assert suspicions.of_names(other, "users") == []


def test_texts_that_are_alike() -> None:
    assert suspicions.of_texts([("a", ""), ("b", ""), ("", ""), ("", "")]) == []
    (said,) = suspicions.of_texts([("a", "x")] * 3 + [("b", ""), ("", "")])
    assert said.startswith("3 of 4 items with a text have the same one ('a x')")


def test_the_report_and_the_log_have_the_warnings(tmp_path: Path, capsys) -> None:
    rows = [("user", "item", "time"), *((f"{u:02d}", f"i{i}", START) for u, i, _, _ in ROWS)]
    rows += [("1", f"i{i}", START) for i in range(4)]
    path = text(tmp_path / "a.csv", rows, ",")
    outputs = {n: str(tmp_path / n) for n in ("interactions", "catalogue", "users")}
    outputs |= {n: str(tmp_path / f"{n}.json") for n in ("report", "statistics")}
    script.main("table", {"interactions": [str(path)]}, outputs, DEFAULT)
    report = artefacts.read_json(outputs["report"])
    assert [one.split(" ")[0] for one in report["warnings"]] == ["every", "1"]
    printed = capsys.readouterr().out
    for warning in report["warnings"]:
        assert f"WARNING: {warning}\n" in printed
    statistics = artefacts.read_json(outputs["statistics"])
    assert statistics["tied_pairs"] == statistics["tied_tests"] == 1
