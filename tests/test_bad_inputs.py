"""Files that cannot be right: each is refused in five lines that say what, where, what helps."""

import gzip
import io
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import ROOT
from pyarrow import parquet
from tiny_tables import DEFAULT, NAMED, NAMES, ROWS

from lohrec.common import job_log
from lohrec.configuration import machine, registry

MOST_LINES = 5


def table(rows: Any = NAMED, names: Any = NAMES) -> bytes:
    lines = [",".join(map(str, row)) for row in ([names] if names else []) + list(rows)]
    return "".join(f"{line}\n" for line in lines).encode()


def lines(records: Any, write: Callable = json.dumps) -> bytes:
    return "".join(f"{write(record)}\n" for record in records).encode()


def reviews(names: tuple = ("reviewerID", "asin", "overall", "unixReviewTime")) -> bytes:
    return gzip.compress(lines(dict(zip(names, row, strict=True)) for row in NAMED))


def metadata(key: str = "asin", write: Callable = json.dumps) -> bytes:
    return gzip.compress(lines([{key: f"i{n}", "title": f"t{n}"} for n in range(6)], write))


def typed(name: str, values: list[Any], kind: Any) -> bytes:
    """A Parquet file with a column of another type."""
    columns = {one: [row[n] for row in NAMED] for n, one in enumerate(NAMES)}
    file = io.BytesIO()
    parquet.write_table(pa.table(columns | {name: pa.array(values * 32, kind)}), file)
    return file.getvalue()


def repeated(rows: int) -> bytes:
    """A Parquet file of one row, so many times."""
    once = pa.table({name: [1] for name in ("user", "item", "time")})
    file = io.BytesIO()
    parquet.write_table(once.take(pa.array(np.zeros(rows, np.int32))), file)
    return file.getvalue()


INTER = json.dumps({str(u): [(u + k) % 6 for k in range(4)] for u in range(8)}).encode()
TOKENS = {str(i): [f"<a_{i}>", f"<b_{i}>", f"<c_{i}>", "<d_0>"] for i in range(6)}
NOISE = random.Random(0).randbytes(4000)
REVIEWS, META = "Mine_5.json.gz", "meta_Mine.json.gz"
LC_INTER, LC_INDEX = "Mine.inter.json", "Mine.index.json"
MORE = b"u1,i1,3,1500000000\n"

# (files, settings of the source, words of the message)
TABLES: list[tuple[dict[str, bytes], dict[str, Any], list[str]]] = [
    ({"a.csv": b""}, {}, ["a.csv is empty", "Put a table"]),
    ({"a.csv": b"\n\n \n"}, {}, ["a.csv is empty", "Put a table"]),
    ({"a.csv": bytes(4000)}, {}, ["a.csv is empty", "Put a table"]),
    ({"a.csv": table([])}, {}, ["a.csv has no line below its header", "Put"]),
    ({"a.csv": table(NAMED[:1])}, {}, ["No 3-core", "ingest.core"]),
    ({"a.csv": table()}, {"core": 99}, ["No 99-core", "8 users and 6 items", "ingest.core"]),
    ({"a.csv": table().replace(b"\n", b"\r")}, {}, ["a.csv ends its lines", "Write LF"]),
    ({"a.csv": table([(u, i, r, 42930.5 + r) for u, i, r, _ in NAMED])}, {},
     ["times up to 42935.5 are too small", "Write dates as 2020-12-31"]),
    ({"a.csv": NOISE}, {}, ["a.csv: what stands between", "sources.table.separator"]),
    ({"a.csv": table().decode().encode("utf-16")}, {}, ["UTF-16", "sources.table.encoding"]),
    ({"a.csv": b"<!DOCTYPE html><p>404</p>\n"}, {}, ["a.csv", "a web page", "download"]),
    ({"a.csv": b"PK\x03\x04" + bytes(99)}, {}, ["a.csv", "an archive", "save the sheet as CSV"]),
    ({"a.csv": table() + b"x" * (2**24 + 1)}, {}, ["a.csv, line 34", "16 MiB", "line ends"]),
    ({"a.csv": table() + b'u1,"i2,3,1500000000\n'}, {}, ["a.csv", "i2,3", "quote must double"]),
    ({"a.csv": table([(u, i, r, "soon") for u, i, r, _ in NAMED])}, {}, ["no_time", "line 2"]),
    ({"a.csv": table([(u, i, r, t * 10 ** (r % 2 * 3)) for u, i, r, t in NAMED])}, {},
     ["several kinds", "line 2", "sources.table.time_unit"]),
    ({"a.csv": table([(u, i, r, f"201707{14 + r}120000") for u, i, r, _ in NAMED])}, {},
     ["are no s, ms", "line 2", "sources.table.time_unit"]),
    # One is of 1973 and in milliseconds.
    ({"a.csv": table() + b"u1,i1,3,94694400000\n"}, {}, ["00000 are no s", "line 34", "unit"]),
    ({"a.csv": table([(u, i, r, t * 1000) for u, i, r, t in NAMED])}, {"time_unit": "s"},
     ["after 2128 in s", "line 2", "sources.table.time_unit"]),
    ({"a.csv": table() + b"u1,i1,3,1e25\n"}, {"time_unit": "order"}, ["above 2 ** 63", "line 34"]),
    ({"a.csv": table() + b"u1,,,\n" * 20}, {}, ["20 of 52", "line 34", "ingest.most_rejected"]),
    ({"a.csv": table() + MORE.replace(b",i", b",i,") * 9}, {}, ["too_many_fields", "line 34"]),
    ({"a.csv": table(names=("a", "b", "c", "d"))}, {}, ["user = ?", "sources.table.columns"]),
    ({"a.csv": table(names=("user", "user_id", "rating", "time"))}, {}, ["user may be any of"]),
    ({"a.csv": table(names=("item", "user", "r", "time"))}, {"columns": {"user": 1, "item": 2}},
     ["'item', an item by"]),
    ({"a.csv": table([(u, i, t, r) for u, i, r, t in NAMED])}, {},
     ["ratings looks like times", "line 2", "sources.table.columns"]),
    ({"a.csv": table()}, {"columns": {"user": 1, "item": 9, "time": 4}}, ["no column 9", "Name"]),
    ({"a.csv": table()}, {"columns": {"user": 1, "item": 1, "time": 4}}, ["one column is user"]),
    ({"a.csv": table()}, {"columns": {"user": "usr"}}, ["no column 'usr'", "Name the columns"]),
    ({"a.csv": table()}, {"separator": ";"}, ["user,item,rating,time", "Name the columns"]),
    ({"a.csv": table()}, {"encoding": "klingon"}, ["'klingon'", "sources.table.encoding"]),
    ({"a.csv": b"user,item,time\nu\xff,i,1\n"}, {"encoding": "ascii"}, ["not in ascii", "Set"]),
    ({"a.csv": table()}, {"until": "yesterday"}, ["'yesterday'", "write it as 2020-12-31"]),
    ({"a.csv": table()}, {"until": "1990-01-01"}, ["until (1990-01-01)", "none of 32", "Change"]),
    ({"a.csv": table()}, {"min_rating": 9}, ["min_rating (9)", "none of 32", "Change"]),
    ({"a.csv": table(names=("user", "item", "x", "time"))}, {"min_rating": 3}, ["no column of"]),
    ({"a.csv": table()}, {"recipe": "movielens_100k"}, ["movielens_100k", "1 fields a line"]),
    ({"a.csv/.hidden": b""}, {}, ["a.csv has no files", "Put the parts"]),
    ({"a.csv/1.csv": table(), "a.csv/2.json": b"{}"}, {}, ["several formats", "Keep one"]),
    ({"a.csv/1.csv": table(), "a.csv/1.csv.gz": b""}, {}, ["have one name", "Keep one"]),
    ({"a.csv/1.csv": table(), "a.csv/2.csv": table(names=("u", "i", "r", "t"))}, {}, ["2.csv"]),
    ({"x/a.csv": table(), "y/a.csv": MORE}, {}, ["x/a.csv and", "not the same", "Keep one"]),
    ({"a.csv.gz": table()}, {}, ["a.csv.gz is no gzip file", "take .gz from its name"]),
    ({"a.csv.gz": gzip.compress(table())[:-12]}, {}, ["cut short", "download it again"]),
    ({"a.csv.gz": gzip.compress(bytes(2**27 + 2**20))}, {}, ["line 1", "16 MiB"]),
    ({"a.csv.gz": gzip.compress(b"\n" * (2**27 + 2**21))}, {}, ["200 times as much", "without"]),
    ({"a.json.gz": gzip.compress(b"x" * (2**24 + 1))}, {}, ["a.json.gz, line 1", "16 MiB"]),
    ({"a.json": b""}, {}, ["a.json is empty", "an object a line"]),
    ({"a.json": b"["}, {}, ["a.json has no JSON object", "an object a line"]),
    ({"a.json": b"[" * 100_000}, {}, ["a.json has no JSON object", "an object a line"]),
    ({"a.json": json.dumps([{"user": 1}]).encode()}, {}, ["no JSON object", "an object a line"]),
    ({"a.json": json.dumps({"user": 1}, indent=1).encode()}, {}, ["no JSON object", "a line"]),
    ({"a.json": lines([{"user": [1], "item": 1, "time": 1}])}, {}, ["wrong_type_user", "line 1"]),
    ({"a.json": lines(dict(zip(NAMES, (f"u{u}", i if r % 2 else str(i), r, t), strict=True))
                      for u, i, r, t in ROWS)}, {},
     ["item is 0 in some", '"0" in others', "6 such", "Write all as texts"]),
    ({"a.json": b'{["d"]}\n{{}: 1}'}, {"recipe": "amazon_2014"}, ["no literal of Python", "1: {["]),
    ({"a.parquet": b"PAR1" + bytes(50)}, {}, ["a.parquet cannot be read", "write it again"]),
    ({"a.parquet": table()}, {}, ["a.parquet cannot be read", "write it again"]),
    ({"a.parquet": typed("user", [1.5], None)}, {}, ["type is Float64", "Write texts or whole"]),
    ({"a.parquet": typed("user", [{"id": 1}], None)}, {}, ["user is in user, whose", "Struct"]),
    ({"a.parquet": typed("item", [["i1"]], None)}, {}, ["item is in item, whose type is List"]),
    ({"a.parquet": typed("time", [1], pa.duration("s"))}, {}, ["Duration", "dates or whole"]),
    ({"a.parquet": typed("time", [1], pa.time32("s"))}, {}, ["type is Time. Write dates or"]),
    ({"a.parquet": repeated(6_000_000)}, {}, ["a.parquet: ", "200 times as much", "without pack"]),
    ({"a.csv": table(), "b.csv": b""}, {}, ["b.csv is empty", "Put a table"]),
    ({"a.csv": table(), "b.csv": b"item,title\nx1,t\n"}, {}, ["none of the 6 items", "i0", "x1"]),
    ({"a.csv": table(), "b.csv": b"it,title\ni1,t\n"}, {}, ["item = ?", "item_columns"]),
]  # fmt: skip
AMAZON: list[tuple[dict[str, bytes], list[str]]] = [
    ({REVIEWS: b"", META: metadata()}, [f"{REVIEWS} is empty", "Put the reviews"]),
    ({REVIEWS: gzip.compress(b""), META: metadata()}, [f"{REVIEWS} is empty"]),
    ({REVIEWS: reviews(), META: gzip.compress(b"")}, [f"{META} is empty"]),
    ({REVIEWS: reviews(), META: metadata("parent_asin")}, [META, "amazon_2023"]),
    ({REVIEWS: reviews(), META: metadata(write=repr)}, [META, "recipe: amazon_2014"]),
    ({REVIEWS: reviews(("user_id", "parent_asin", "rating", "timestamp")), META: metadata()},
     ["no usable review in 32 lines", "recipe: amazon_2023"]),
    ({REVIEWS: metadata(), META: reviews()}, ["no usable review in 6 lines", "metadata of Amazon"]),
    ({REVIEWS: b"<html>404</html>", META: metadata()}, [f"{REVIEWS} is no gzip file", "download"]),
    ({REVIEWS: gzip.compress(b'{"a": "' + b"x" * 2**24), META: metadata()}, ["line 1", "16 MiB"]),
    ({REVIEWS: reviews()[:-9], META: metadata()}, [f"{REVIEWS} is cut short", "download it again"]),
]  # fmt: skip
LCREC: list[tuple[dict[str, bytes], list[str]]] = [
    ({LC_INTER: b""}, [f"{LC_INTER} is empty", "Make or fetch"]),
    ({LC_INTER: b"[]"}, ["no JSON object", "LC-Rec's layout"]),
    ({LC_INTER: b"{}"}, ["no JSON object", "LC-Rec's layout"]),
    ({LC_INTER: b'{"1": ' + b"[" * 100_000}, ["is no JSON", "Make or fetch"]),
    ({LC_INTER: b'{"1": [1, 2]}'}, ["users 1 have fewer than the 3 items", "Remove them"]),
    ({LC_INTER: b'{"1": 3}'}, ["users 1 have no list", "Remove them"]),
    ({LC_INTER: b'{"1": [1, 2, null]}'}, ["items are texts or whole numbers", "users 1"]),
    ({LC_INTER: b'{"1": [1, 2, 3], "2": ["1", 2, 4]}'}, ["an item is 1 in some", "Write all as"]),
    ({LC_INTER: b'{"1": [1, 2, 3], "1": [1, 2, 3]}'}, ["names twice: 1", "Keep one"]),
    ({LC_INTER: INTER, LC_INDEX: b""}, [f"{LC_INDEX} is empty", "Make or fetch"]),
    ({LC_INTER: INTER, LC_INDEX: b'{"1": ["<a_1>"]}'}, ["misses 5 of 6 items", "Use the index"]),
    ({LC_INTER: INTER, LC_INDEX: json.dumps({item: ["<a_1>"] for item in TOKENS}).encode()},
     ["all 6 items have the identifier ['<a_1>'", "Use another index"]),
    ({LC_INTER: INTER, LC_INDEX: json.dumps(TOKENS).replace("<a_1>", "<a_007>").encode()},
     ["not those of 1 items: 1", "<a_007>", "Write the index"]),
    ({LC_INTER: INTER, LC_INDEX: json.dumps(TOKENS | {"0": None, "1": [1, 2, 3, 4]}).encode()},
     ["not those of 1 items: 0", "None"]),
    ({LC_INTER: INTER, LC_INDEX: json.dumps(dict.fromkeys(TOKENS, TOKENS["1"])).encode()},
     ["all 6 items have the identifier", "Use another index"]),
]  # fmt: skip


def ingest(folder: Path, source: str, files: dict[str, bytes], settings: dict[str, Any]) -> None:
    """Find and read files as the rules do, identifiers too."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    paths: dict[str, Any] = {}
    for kind, file in registry.declared("source", source, "FILES").items():
        name = settings.pop(kind, None) or file.get("file", "").format(category="Mine")
        if name and (found := machine.find_raw(folder, name)):
            parts = [Path(part) for part in machine.parts(found)]
            paths[kind] = parts if file.get("parts") else parts[0]
    module = registry.load("source", source)
    index = paths.pop("index", None)
    read = module.read(paths, **settings)
    if index:
        module.read_identifiers(index, read.interactions.items.to_pylist())


def refused(folder: Path, words: list[str], *given: Any) -> None:
    with pytest.raises((ValueError, OSError)) as caught:
        ingest(folder, *given)
    said = job_log.message(caught.value)
    assert "Nobody foresaw" not in said
    assert said.count("\n") < MOST_LINES, said
    for word in words:
        assert word in said


@pytest.mark.parametrize(("files", "settings", "words"), TABLES)
def test_tables(tmp_path: Path, files: dict, settings: dict, words: list[str]) -> None:
    first, *more = dict.fromkeys(re.sub(r"^[xy]/|(?<=a\.csv)/.*", "", name) for name in files)
    given = DEFAULT | {"interactions": first, "metadata": more[0] if more else None} | settings
    for part in ("columns", "item_columns"):
        given[part] = dict(DEFAULT[part]) | given[part]
    refused(tmp_path, words, "table", files, given)


@pytest.mark.parametrize(("files", "words"), AMAZON)
def test_amazon(tmp_path: Path, files: dict, words: list[str]) -> None:
    refused(tmp_path, words, "amazon2018", files, {"core": 3, "most_rejected": 0.01})


@pytest.mark.parametrize(("files", "words"), LCREC)
def test_lcrec(tmp_path: Path, files: dict, words: list[str]) -> None:
    refused(tmp_path, words, "lcrec", files, {})


def test_the_page_says_how_many_are_tried() -> None:
    page = " ".join((ROOT / "docs/running.md").read_text().split())
    (tried,) = re.findall(r"(\d+) broken files", page)
    assert int(tried) == len(TABLES) + len(AMAZON) + len(LCREC)
