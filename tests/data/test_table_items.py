"""Items of a table with and without texts, ties in time, and tables in odd layouts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_tables import ITEMS, NAMED, NAMES, ROWS, START, USERS, csv, read, text

from lohrec.data import item_tables
from lohrec.data.layout import layout

ALL = {"users": USERS, "items": ITEMS, "interactions": len(ROWS)}


def items(path: Path, known: range = range(ITEMS)) -> Path:
    """Titles of some items; the first has none."""
    rows = [(f"i{i}", f"Thing {i}" if i else "", "") for i in known]
    return text(path, [("sku", "name", "description"), *rows], ",")


def test_items_without_a_text_stay_or_go(tmp_path: Path) -> None:
    paths = {"interactions": csv(tmp_path / "a.csv"), "metadata": items(tmp_path / "items.csv")}
    found = read(paths)
    assert found.interactions.counts() == ALL and found.counted["without_metadata"] == 1
    assert {name: words.title for name, words in found.texts.items()} == {
        f"i{i}": f"Thing {i}" if i else "" for i in range(ITEMS)
    }
    found = read(paths, without_text="drop")
    assert "i0" not in found.interactions.items.to_pylist()


def test_what_is_known_of_an_item_without_words_is_kept(tmp_path: Path) -> None:
    rows = [("sku", "name", "category"), *((f"i{i}", "", "lamps") for i in range(ITEMS))]
    items = text(tmp_path / "items.csv", rows, ",")
    found = read({"interactions": csv(tmp_path / "a.csv"), "metadata": items})
    assert {tuple(words.categories) for words in found.texts.values()} == {("lamps",)}
    assert found.counted["without_metadata"] == ITEMS


@pytest.mark.parametrize("lines", [1, 2, 30])
def test_a_description_may_have_line_breaks(tmp_path: Path, lines: int) -> None:
    said = "\n".join(['"Brass", they say, and'] * lines)
    quoted = '"' + said.replace('"', '""') + '"'
    rows = [(f"i{i}", f"Thing {i}", quoted) for i in range(ITEMS)]
    path = text(tmp_path / "items.csv", [("sku", "name", "description"), *rows], ",")
    found = read({"interactions": csv(tmp_path / "a.csv"), "metadata": path})
    assert found.counted["metadata"]["lines"] == ITEMS
    assert {name: (words.title, words.description) for name, words in found.texts.items()} == {
        f"i{i}": (f"Thing {i}", " ".join(said.split())) for i in range(ITEMS)
    }


def test_items_of_another_set_are_refused(tmp_path: Path) -> None:
    paths = {
        "interactions": csv(tmp_path / "a.csv"),
        "metadata": items(tmp_path / "items.csv", range(10, 20)),
    }
    with pytest.raises(ValueError, match="called i0, i1, i2, and here i10, i11, i12"):
        read(paths)


def test_a_text_that_is_not_utf8_needs_its_encoding(tmp_path: Path) -> None:
    rows = [(f"é{u}", i, r, t) for u, i, r, t in NAMED]
    path = text(tmp_path / "a.csv", [NAMES, *rows], ",", "latin-1")
    with pytest.raises(ValueError, match="not_utf8"):
        read({"interactions": path})
    found = read({"interactions": path}, encoding="latin-1")
    assert found.interactions.users.to_pylist()[0] == "éu0"


def test_tied_times_fall_alike_whatever_items_are_called(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [(f"u{u}", int(i)) for u in range(60) for i in rng.choice(20, 6, replace=False)]

    def order(name: Any, shuffled: bool = False) -> list[str]:
        lines = [(u, name(i), 0, START) for u, i in rows]
        if shuffled:
            lines = [lines[n] for n in rng.permutation(len(lines))]
        kept = read({"interactions": csv(tmp_path / "a.csv", lines)}).interactions
        return [kept.items[i].as_py() for i in kept.item]

    first = order("i{:03d}".format)
    assert order("i{:03d}".format, shuffled=True) == first
    renamed = order(lambda i: f"x{(i * 7 + 3) % 20:02d}")
    assert renamed == [f"x{(int(name[1:]) * 7 + 3) % 20:02d}" for name in first]
    # And not as they are named.
    assert 0.05 < np.mean([max(first[n : n + 6]) == first[n + 5] for n in range(0, 360, 6)]) < 0.4


ODD = {
    "movielens_header.csv": None, "shop_bom_crlf.csv": None, "recbole.inter": None,
    "amazon2023.jsonl.gz": "amazon_2023", "amazon2014.json.gz": "amazon_2014",
    "ratings_2014.csv": "amazon_2014_ratings", "spaces.csv": None, "one_day.csv": None,
    "three_levels.inter.json": "lcrec",
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_tables(real_data: Any, name: str) -> None:
    found = read({"interactions": real_data(f"odd/{name}")}, recipe=ODD[name])
    expected = {"users": 40, "items": 24, "interactions": 280}
    assert found.interactions.counts() == expected


def test_items_may_have_a_description_alone(real_data: Any) -> None:
    files = {"interactions": "amazon2023", "metadata": "meta_amazon2023"}
    paths = {kind: real_data(f"odd/{name}.jsonl.gz") for kind, name in files.items()}
    found = read(paths, recipe="amazon_2023")
    assert sum(not words.title for words in found.texts.values()) == 3
    assert found.counted["without_metadata"] == 0


def test_odd_metadata(real_data: Any) -> None:
    path = real_data("odd/meta_dirty.json.gz")
    names = [f"B00000000{n}" for n in range(1, 6)]
    texts, report = item_tables.read(
        [path], layout("items", "amazon_2018", {}, None, None), names, 0
    )
    assert [texts[name].title for name in names] == [
        "",
        "Cable",
        "Lamp",
        "Half face",
        "Listed title",
    ]
    assert texts[names[1]].description == "Two metres black"
    assert report["cleaned"] == {"printed_lists_read": 1, "unclosed_tags_removed": 1}
    assert report["mended"] == {"halves_of_characters": 1, "json_of_python": 2}
    assert json.dumps(report)
