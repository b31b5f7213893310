import gzip
import hashlib
from collections import Counter
from dataclasses import replace

import ingest as script
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lohrec.common import artefacts
from lohrec.data.interactions import Interactions, core, drop_repeats, keep_items, renumber, table_3
from lohrec.data.sources.amazon2018 import read_reviews


def columns(rows):
    """Interactions of (reviewer, asin, time) rows, codes in order of appearance."""
    users = list(dict.fromkeys(row[0] for row in rows))
    items = list(dict.fromkeys(row[1] for row in rows))
    return Interactions(
        np.array([users.index(row[0]) for row in rows], dtype=np.int32),
        np.array([items.index(row[1]) for row in rows], dtype=np.int32),
        np.array([row[2] for row in rows], dtype=np.int64),
        pa.array(users, pa.string()),
        pa.array(items, pa.string()),
    )


def rows_of(interactions):
    """(reviewer, asin, time) rows of interactions."""
    return [
        (interactions.users[u].as_py(), interactions.items[i].as_py(), t)
        for u, i, t in zip(
            interactions.user, interactions.item, interactions.time.tolist(), strict=True
        )
    ]


def tie(user, item, seed=0):
    """The order of items of one time in plain integers."""
    low = 2**64 - 1
    bits = [
        int.from_bytes(
            hashlib.blake2b(name.encode(), digest_size=8, key=seed.to_bytes(8, "little")).digest(),
            "little",
        )
        for name in (user, item)
    ]
    x = (bits[0] + 0x9E3779B97F4A7C15 * bits[1]) & low
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & low
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & low
    return x ^ (x >> 31)


def by_hand(rows, described, k):
    """The paper's order in plain loops: repeats, metadata, k-core, order of time."""
    earliest = {}
    for user, item, time in rows:
        earliest[user, item] = min(time, earliest.get((user, item), time))
    left = [(u, i, t) for (u, i), t in earliest.items() if i in described]
    while True:
        users, items = Counter(u for u, _, _ in left), Counter(i for _, i, _ in left)
        kept = [row for row in left if users[row[0]] >= k and items[row[1]] >= k]
        if len(kept) == len(left):
            return sorted(kept, key=lambda row: (row[0], row[2], tie(row[0], row[1])))
        left = kept


@pytest.fixture
def rows():
    """1,500 skewed rows of few days: repeats, ties and sparse users and items."""
    rng = np.random.default_rng(0)
    user, item = rng.geometric(0.02, 1500), rng.geometric(0.04, 1500)
    return [
        (f"A{u:03d}", f"B{i:03d}", int(t))
        for u, i, t in zip(user, item, rng.integers(0, 30, 1500), strict=True)
    ]


@pytest.fixture
def described(rows):
    return sorted({item for _, item, _ in rows})[::2]


def select(rows, described, k):
    candidates, _ = core(drop_repeats(columns(rows)), k)
    return renumber(core(keep_items(candidates, described), k)[0])


@pytest.mark.parametrize("k", [2, 5])
def test_selection_equals_plain_loops_in_the_papers_order(rows, described, k):
    expected = by_hand(rows, set(described), k)
    assert 0 < len(expected) < len(rows)
    assert rows_of(select(rows, described, k)) == expected


def test_selection_does_not_depend_on_the_order_of_lines(rows, described):
    one = select(rows, described, 3)
    order = np.random.default_rng(1).permutation(len(rows))
    other = select([rows[place] for place in order], described, 3)
    assert one.users.equals(other.users) and one.items.equals(other.items)
    for column in ("user", "item", "time"):
        np.testing.assert_array_equal(getattr(one, column), getattr(other, column))


def test_codes_are_dense_and_sorted_by_name(rows, described):
    kept = select(rows, described, 3)
    assert kept.users.to_pylist() == sorted(kept.users.to_pylist())
    assert kept.items.to_pylist() == sorted(kept.items.to_pylist())
    assert np.unique(kept.user).tolist() == list(range(len(kept.users)))
    assert np.unique(kept.item).tolist() == list(range(len(kept.items)))
    assert (kept.user.dtype, kept.item.dtype, kept.time.dtype) == (np.int32, np.int32, np.int64)


def test_earliest_of_repeats_stays_and_ties_go_by_a_hash():
    rows = [("u", "b", 5), ("u", "c", 3), ("u", "b", 3), ("u", "a", 3), ("u", "d", 1)]
    for seed in (0, 7):
        kept = rows_of(renumber(drop_repeats(columns(rows)), seed))
        tied = sorted("abc", key=lambda item: tie("u", item, seed))
        assert kept == [("u", "d", 1), *(("u", item, 3) for item in tied)]


def test_the_last_of_a_tied_day_has_the_largest_name_as_often_as_chance(real_data):
    """Also where the items of public data are renamed at random."""
    reviews, _ = read_reviews(real_data("amazon2018/Gift_Cards_5.json.gz"))
    names = reviews.items.to_pylist()
    for seed in range(3):
        renamed = np.random.default_rng(seed).permutation(names) if seed else names
        kept, _ = core(drop_repeats(replace(reviews, items=pa.array(renamed))), 5)
        share, chance = largest_last(renumber(kept, tie_seed=seed))
        assert abs(share - chance) < 4 * np.sqrt(chance * (1 - chance) / 280)


def test_tied_items_of_many_users_come_in_every_order():
    """Names that sort alike for all users, as ASINs do by age."""
    rows = [(f"u{u}", f"i{i}", 0) for u in range(2000) for i in range(4)]
    kept = renumber(columns_fast(rows))
    share, chance = largest_last(kept)
    assert chance == 0.25 and abs(share - chance) < 0.04
    first = kept.item.reshape(-1, 4)[:, 0]
    assert (np.bincount(first) > 400).all()


def test_items_that_all_buy_together_come_in_the_same_order_whatever_that_of_lines():
    rows = [(f"u{u}", name, 0) for u in range(30) for name in ("lamp", "bulb", "shade")]
    forward, backward = (
        renumber(columns_fast(given), ties_by_name=False) for given in (rows, rows[::-1])
    )
    assert rows_of(forward) == rows_of(backward)
    first = forward.item.reshape(-1, 3)[:, 0]
    assert (np.bincount(first) > 3).all()


def columns_fast(rows):
    user, item, time = map(list, zip(*rows, strict=True))
    users, items = pa.array(user).dictionary_encode(), pa.array(item).dictionary_encode()
    return Interactions(
        users.indices.to_numpy(),
        items.indices.to_numpy(),
        np.array(time, dtype=np.int64),
        users.dictionary,
        items.dictionary,
    )


def largest_last(kept):
    """Share of users with a tied last time whose last item has the largest name; and by chance."""
    hits, chances = [], []
    for user in range(len(kept.users)):
        rows = np.flatnonzero(kept.user == user)
        tied = rows[kept.time[rows] == kept.time[rows[-1]]]
        if len(tied) > 1:
            hits.append(kept.item[tied[-1]] == kept.item[tied].max())
            chances.append(1 / len(tied))
    return float(np.mean(hits)), float(np.mean(chances))


def test_core_of_a_core_is_itself_and_takes_no_round(rows):
    once, rounds = core(drop_repeats(columns(rows)), 3)
    again, more = core(once, 3)
    assert rounds > 0 and more == 0 and len(again) == len(once)


@pytest.mark.parametrize("rows", [[("u", "a", 1), ("u", "b", 2), ("v", "a", 1)], []])
def test_no_core_is_an_error_with_counts(rows):
    with pytest.raises(ValueError, match=rf"No 5-core: of {len(rows)} interactions.*core"):
        core(columns(rows), 5)


def test_table_3_of_a_small_case():
    kept = columns([("u", item, 0) for item in "abcd"] + [("v", item, 0) for item in "ab"])
    table = table_3(kept)
    assert (table["users"], table["items"], table["interactions"]) == (2, 4, 6)
    assert table["sparsity"] == 0.25 and table["average_length"] == 3


def write_raw(folder, reviews, described, texts=lambda asin: {"title": asin}):
    """Raw files of rows and of the items described, in the layout of the 2018 edition."""
    with gzip.open(folder / "R_5.json.gz", "wb") as file:
        for user, item, time in reviews:
            record = {"reviewerID": user, "asin": item, "unixReviewTime": time}
            file.write(orjson.dumps(record) + b"\n")
        file.write(b'{"reviewerID": "A", "asin": \n')
    with gzip.open(folder / "meta_R.json.gz", "wb") as file:
        for asin in described:
            file.write(orjson.dumps({"asin": asin} | texts(asin)) + b"\n")


def ingest(reviews, metadata, folder, k=5):
    """Run the script; return the paths of its outputs by name."""
    outputs = {
        name: str(folder / f"{name}.parquet") for name in ("interactions", "catalogue", "users")
    }
    outputs |= {name: str(folder / f"{name}.json") for name in ("report", "statistics")}
    raw = {"reviews": str(reviews), "metadata": str(metadata)}
    script.main("amazon2018", raw, outputs, {"core": k})
    return outputs


def test_script_accounts_for_every_line(tmp_path, rows, described):
    write_raw(tmp_path, rows, described, lambda asin: {"title": f"<b>{asin}</b>"})
    outputs = ingest(tmp_path / "R_5.json.gz", tmp_path / "meta_R.json.gz", tmp_path, k=3)
    expected = by_hand(rows, set(described), 3)

    items = pq.read_table(outputs["catalogue"])
    users = pq.read_table(outputs["users"])
    table = pq.read_table(outputs["interactions"])
    assert items.schema.field("categories").type == pa.list_(pa.string())
    assert items["item"].to_pylist() == list(range(len(items)))
    assert items["title"].to_pylist() == items["asin"].to_pylist()
    assert items["description"].to_pylist() == [""] * len(items)
    named = [
        (users["reviewer"][user].as_py(), items["asin"][item].as_py(), time)
        for user, item, time in zip(*table.to_pydict().values(), strict=True)
    ]
    assert named == expected

    report = artefacts.read_json(outputs["report"])
    assert report["lines"] == len(rows) + 1 and report["rejected"] == {"not_json": 1}
    assert report["repeats_dropped"] == len(rows) - len({row[:2] for row in rows})
    assert report["without_metadata"]["items"] > 0
    assert report["kept"]["interactions"] == len(expected)
    size = (tmp_path / "R_5.json.gz").stat().st_size
    assert report["files"]["R_5.json.gz"]["bytes"] == size
    assert len(report["files"]["meta_R.json.gz"]["sha256"]) == 64
    statistics = artefacts.read_json(outputs["statistics"])
    assert (statistics["interactions"], statistics["repeats"]) == (len(expected), 0)


def test_failing_ingest_leaves_nothing(tmp_path, rows, described):
    write_raw(tmp_path, rows[:20], described)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match="No 5-core"):
        ingest(tmp_path / "R_5.json.gz", tmp_path / "meta_R.json.gz", tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_published_gift_cards(real_data, tmp_path):
    reviews = real_data("amazon2018/Gift_Cards_5.json.gz")
    outputs = ingest(reviews, real_data("amazon2018/meta_Gift_Cards.json.gz"), tmp_path)
    report = artefacts.read_json(outputs["report"])
    assert report["lines"] == 2972
    assert report["kept"] == {"users": 453, "items": 147, "interactions": 2941}


def test_published_games_are_table_3(real_data, tmp_path):
    reviews = real_data("amazon2018/Video_Games_5.json.gz")
    outputs = ingest(reviews, real_data("amazon2018/meta_Video_Games.json.gz"), tmp_path)
    table = artefacts.read_json(outputs["statistics"])
    assert (table["users"], table["items"], table["interactions"]) == (50_546, 16_859, 452_989)
    assert round(table["average_length"], 2) == 8.96
    assert round(100 * table["sparsity"], 2) == 99.95
    assert (table["train"], table["dev"], table["test"]) == (301_351, 50_546, 50_546)
