import json
import os
import re

import ingest as script
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from lohrec.common import artefacts
from lohrec.data.interactions import core, drop_repeats, renumber
from lohrec.data.sources import lcrec
from lohrec.data.sources.amazon2018 import read_reviews
from lohrec.data.sources.lcrec import read_identifiers, read_inter, read_items
from lohrec.identifiers import index as index_file
from lohrec.identifiers.prefix_tree import PrefixTree


def put(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_sequences_are_read_by_number_and_keep_their_order(tmp_path):
    path = put(tmp_path / "x.inter.json", {"10": [7, 100, 9], "9": [100, 7, 20, 9]})
    kept = read_inter(path)
    assert kept.users.to_pylist() == ["9", "10"]
    assert kept.items.to_pylist() == ["7", "9", "20", "100"]
    assert kept.user.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert kept.item.tolist() == [3, 0, 2, 1, 0, 3, 1]
    assert kept.time.tolist() == [0, 1, 2, 3, 0, 1, 2]
    assert (kept.user.dtype, kept.item.dtype, kept.time.dtype) == (np.int32, np.int32, np.int64)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ([1], "no JSON object"),
        ({}, "no JSON object"),
        ({"700": [1, 2], "9": [1, 2, 3]}, "users 700 have fewer than the 3 items"),
        ({"0": []}, "users 0 have fewer than the 3 items"),
        ({"0": 5}, "users 0 have no list"),
        ({"0": [1, 2, ""]}, "items are texts or whole numbers from 0, unlike some of users 0"),
        ({"0": [1, 3, -2]}, "items are texts or whole numbers"),
        ({"0": [3, 2, True]}, "items are texts or whole numbers"),
    ],
)
def test_unusable_sequences_are_named(tmp_path, content, message):
    with pytest.raises(ValueError, match=rf"x\.inter\.json.*{message}"):
        read_inter(put(tmp_path / "x.inter.json", content))


def test_names_may_be_texts_and_stay_apart(tmp_path):
    path = put(tmp_path / "x.inter.json", {"A1": ["i1", "i0", 7], "00": [7, "i1", "07"]})
    kept = read_inter(path)
    assert kept.users.to_pylist() == ["00", "A1"]
    assert kept.items.to_pylist() == ["07", "7", "i0", "i1"]
    assert kept.item.tolist() == [1, 3, 0, 3, 2, 1]


def test_a_user_who_is_there_twice_is_named(tmp_path):
    path = put(tmp_path / "x.inter.json", '{"7": [1, 2, 3], "8": [1, 2, 3], "7": [4, 5, 6]}')
    with pytest.raises(ValueError, match=r"x\.inter\.json has names twice: 7"):
        read_inter(path)


def test_halves_of_characters_are_left_out_and_told_of(tmp_path, capsys):
    text = '{"u\\ud800": ["a", "b\\uDC00", "\\ud83d\\ude00"]}'
    kept = read_inter(put(tmp_path / "x.inter.json", text))
    assert (kept.users.to_pylist(), kept.items.to_pylist()) == (["u"], ["a", "b", "\U0001f600"])
    assert "x.inter.json: 2 halves of characters are left out" in capsys.readouterr().out
    twice = '{"u\\ud800": [1, 2, 3], "u": [1, 2, 3]}'
    with pytest.raises(ValueError, match=r"x\.inter\.json: .*names are there twice"):
        read_inter(put(tmp_path / "x.inter.json", twice))


def test_a_file_that_would_take_the_memory_is_refused_unread(tmp_path):
    path = tmp_path / "inter.json"
    path.touch()
    os.truncate(path, 2**30 + 1)
    with pytest.raises(ValueError, match=r"has 1,073,741,825 bytes.* source: table reads"):
        read_inter(path)


def test_missing_files_are_named(tmp_path):
    for read in (read_inter, read_items, lambda path: read_identifiers(path, ["0"])):
        with pytest.raises(FileNotFoundError, match=r"no .*absent\.json"):
            read(tmp_path / "absent.json")


GOOD = ["<a_1>", "<b_2>", "<c_3>", "<d_4>"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (None, "misses 1 of 2 items: 1. Use the index"),
        (GOOD[:3], "1 to 4 tokens, as many for all items, but not those of 1 items: 1"),
        ("<a_1><b_2><c_3><d_4>", "but not those of 1 items: 1"),
        ([*GOOD[:3], "<a_4>"], "not those of 1 items: 1, where 1 has"),
        ([*GOOD[:3], "<d_256>"], "not those of 1 items: 1"),
        ([*GOOD[:3], "d_4"], "not those of 1 items: 1"),
        ([*GOOD[:3], "<d_-1>"], "not those of 1 items: 1"),
        ([*GOOD[:3], 4], "not those of 1 items: 1"),
        (["<a_001>", *GOOD[1:]], "not those of 1 items: 1"),
        (GOOD[:3], r"<c_3>'\], 3 levels. Use another index. source: table, recipe: lcrec"),
        (GOOD, "all 2 items have the identifier"),
    ],
)
def test_unusable_index_is_named(tmp_path, bad, message):
    index = {"0": GOOD, "1": bad}
    path = put(tmp_path / "x.index.json", {k: v for k, v in index.items() if v is not None})
    with pytest.raises(ValueError, match=rf"x\.index\.json.*{message}"):
        read_identifiers(path, ["0", "1"])


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_an_index_of_fewer_levels_leaves_nothing_to_choose_at_the_others(tmp_path, levels):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (12, levels))
    index = {
        str(item): [f"<{letter}_{code}>" for letter, code in zip("abc", row, strict=False)]
        for item, row in enumerate(codes)
    }
    ids = read_identifiers(put(tmp_path / "x.index.json", index), list(index))
    assert ids.dtype == np.int16 and ids.shape == (12, 4)
    assert (ids[:, :levels] == codes).all()
    tree = PrefixTree.from_ids(ids.astype(np.int64))
    legal = tree.legal(torch.from_numpy(ids.astype(np.int64)))
    assert (legal[:, levels:].sum(-1) == 1).all() and legal[:, 0].sum(-1).min() > 1
    more = {item: [*"abcde"] for item in index}
    with pytest.raises(ValueError, match=r"12 items: 0, 1, .* has .*, 5 levels"):
        read_identifiers(put(tmp_path / "y.index.json", more), list(more))


def test_many_missing_items_are_shown_in_part(tmp_path):
    path = put(tmp_path / "x.index.json", {"0": GOOD})
    with pytest.raises(ValueError, match=r"misses 9 of 10 items: 1, 2, 3, 4, 5 \.\.\."):
        read_identifiers(path, [str(n) for n in range(10)])


def ingest(folder, inter, item=None):
    outputs = {
        name: str(folder / f"{name}.parquet") for name in ("interactions", "catalogue", "users")
    }
    outputs |= {name: str(folder / f"{name}.json") for name in ("report", "statistics")}
    raw = {"inter": str(inter)} | ({"item": str(item)} if item else {})
    script.main("lcrec", raw, outputs, {})
    return outputs


def test_script_joins_texts_by_item(tmp_path):
    inter = put(tmp_path / "x.inter.json", {"1": [2, 0, 10], "0": [0, 2, 2]})
    item = put(
        tmp_path / "x.item.json",
        {
            "0": {"title": "Drum &amp; bass", "description": "<i>loud</i>", "categories": "A,B"},
            "10": {"title": True},
            "77": {"title": "elsewhere"},
        },
    )
    outputs = ingest(tmp_path, inter, item)
    items = pq.read_table(outputs["catalogue"]).to_pydict()
    assert items["asin"] == ["0", "2", "10"]
    assert items["title"] == ["Drum & bass", "", ""]
    assert items["description"] == ["loud", "", ""]
    assert pq.read_table(outputs["interactions"])["item"].to_pylist() == [0, 1, 1, 1, 0, 2]
    report = artefacts.read_json(outputs["report"])
    assert report["rejected"] == {"wrong_type_title": 1}
    assert report["repeats_dropped"] == 0 and report["without_metadata"] == 2
    assert artefacts.read_json(outputs["statistics"])["repeats"] == 1
    assert set(report["files"]) == {"x.inter.json", "x.item.json"}


def test_texts_that_cannot_be_used_are_told_of_and_too_many_are_an_error(tmp_path, capsys):
    path = put(tmp_path / "x.item.json", {"a": {"title": "t"}, "b": {"title": True}, "c": 5})
    inter = put(tmp_path / "x.inter.json", {"0": ["a", "b", "c"]})
    said = f"{path}: 2 of 3 lines rejected: {{'wrong_type_item': 1, 'wrong_type_title': 1}}"
    lcrec.read({"inter": inter, "item": path}, 0.7)
    assert f"WARNING: {said}" in capsys.readouterr().out
    allows = re.escape(
        f"{said}. ingest.most_rejected allows 50.00%.\n  line 2 (wrong_type_title): b"
    )
    with pytest.raises(ValueError, match=allows):
        lcrec.read({"inter": inter, "item": path}, 0.5)


def test_texts_of_another_set_are_refused(tmp_path):
    inter = put(tmp_path / "x.inter.json", {"0": [0, 1, 2]})
    item = put(tmp_path / "x.item.json", {"B00": {"title": "a"}})
    with pytest.raises(ValueError, match=r"x\.item\.json has no item of .*x\.inter\.json"):
        ingest(tmp_path, inter, item)


@pytest.mark.parametrize(
    ("name", "counts", "distinct"),
    [
        ("Games", (50_546, 16_859, 452_989), 16_717),
        ("Instruments", (24_772, 9_922, 206_153), 9_897),
    ],
)
def test_published_sets(real_data, tmp_path, name, counts, distinct):
    index = real_data(f"lcrec/{name}.index.json")
    outputs = ingest(tmp_path, real_data(f"lcrec/{name}.inter.json"))
    table = artefacts.read_json(outputs["statistics"])
    assert (table["users"], table["items"], table["interactions"]) == counts
    items = pq.read_table(outputs["catalogue"])["asin"].to_pylist()
    ids = read_identifiers(index, items)
    assert len(np.unique(ids, axis=0)) == distinct
    index_file.write(tmp_path / "index.json", ids, items)
    published = artefacts.read_json(index)
    assert artefacts.read_json(tmp_path / "index.json") == published


def test_published_games_are_the_sequences_of_the_raw_layout(real_data):
    """The two copies of the Games set agree in the popularity of the items along sequences."""
    raw, _ = read_reviews(real_data("amazon2018/Video_Games_5.json.gz"))
    raw = renumber(core(drop_repeats(raw), 5)[0])
    published = read_inter(real_data("lcrec/Games.inter.json"))
    assert signature(raw) == signature(published)


def signature(kept):
    """Sequences as tuples of their items' popularity, sorted: the same whatever the names are."""
    popularity = np.bincount(kept.item)[kept.item]
    ends = np.cumsum(np.bincount(kept.user))[:-1]
    return sorted(tuple(part.tolist()) for part in np.split(popularity, ends))
