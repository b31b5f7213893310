"""Histories in any layout are the same rows; what is ambiguous is refused with its line."""

import gzip
import io
import json
import os
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lohrec.serving.history_rows import Row, read
from lohrec.serving.user_histories import gathered

ROWS = [("007", "A,1", 30), ("zoë", "B", 5), ("007", 'C"', 10), ("007", "D", 30), ("zoë", "A,1", 4)]
HISTORIES = [("007", ['C"', "A,1", "D"]), ("zoë", ["A,1", "B"])]


def histories(path: str | Path) -> list[tuple[str, list[str]]]:
    with gathered(read(path)) as found:
        together = [tuple(user) for batch in found.batches(1) for user in batch]
        assert found.users == len(together)
    return together


def csv_text(separator: str, header: str = "time user item") -> str:
    lines = [separator.join(header.split())]
    for user, item, time in ROWS:
        quoted = '"' + item.replace('"', '""') + '"'
        lines.append(separator.join([str(time), user, quoted]))
    return "\r\n".join(lines) + "\r\n"


def written(folder: Path, kind: str) -> Path:
    path = folder / f"histories.{kind}"
    if kind in ("csv", "tsv"):
        text = csv_text("," if kind == "csv" else "\t")
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    elif kind == "csv.gz":
        path.write_bytes(gzip.compress(csv_text(",").encode()))
    elif kind == "parquet":
        user, item, time = (list(column) for column in zip(*ROWS, strict=True))
        stamps = pa.array([datetime.fromtimestamp(t, UTC) for t in time], pa.timestamp("ms", "UTC"))
        columns = {"item": pa.array(item).dictionary_encode(), "user": user, "time": stamps}
        pq.write_table(pa.table(columns), path, row_group_size=2)
    elif kind == "rows.jsonl":
        names = ("user", "item", "time")
        path.write_text("\n".join(json.dumps(dict(zip(names, r, strict=True))) for r in ROWS))
    else:
        path.write_text("\n".join(json.dumps({"user": u, "items": i}) for u, i in HISTORIES))
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "csv.gz", "parquet", "rows.jsonl", "users.jsonl"])
def test_all_layouts_hold_the_same_histories(tmp_path, kind) -> None:
    assert histories(written(tmp_path, kind)) == HISTORIES


def test_a_pipe_is_read_as_a_file_is(tmp_path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as writer:
        written = writer.submit(pipe.write_text, csv_text(","))
        assert histories(pipe) == HISTORIES
        written.result(10)


@pytest.mark.parametrize("separator", [";", "|", "::"])
def test_other_separators_do_too(tmp_path, separator) -> None:
    rows = [("user", "item", "time"), *((user, item.strip('"'), str(t)) for user, item, t in ROWS)]
    text = "\n".join(separator.join(row) for row in rows)
    (tmp_path / "h.dat").write_text(text)
    expected = [(user, [item.strip('"') for item in items]) for user, items in HISTORIES]
    assert histories(tmp_path / "h.dat") == expected
    (tmp_path / "h.dat").write_text(text.partition("\n")[2])  # as MovieLens 1M, without a header
    with gathered(read(tmp_path / "h.dat", {"user": 1, "item": 2, "time": 3})) as found:
        assert [tuple(user) for batch in found.batches(1) for user in batch] == expected


@pytest.mark.parametrize(
    "header", ["timestamp user_id item_id", "timestamp:float user_id:token item_id:token",
               "unixReviewTime reviewerID asin"],
)  # fmt: skip
def test_usual_names_of_columns_are_known(tmp_path, header) -> None:
    (tmp_path / "h.csv").write_text(csv_text(",", header))
    assert histories(tmp_path / "h.csv") == HISTORIES
    names = [name.partition(":")[0] for name in header.split()]
    lines = (json.dumps(dict(zip(names, (t, u, i), strict=True))) for u, i, t in ROWS)
    (tmp_path / "h.jsonl").write_text("\n".join(lines))
    assert histories(tmp_path / "h.jsonl") == HISTORIES


def test_columns_that_are_said_go_before_usual_names(tmp_path) -> None:
    (tmp_path / "h.csv").write_text("customer,sku,item,ordered\nu,a,x,2\nu,b,x,1\n")
    said = {"user": "customer", "item": "sku", "time": "ordered"}
    with gathered(read(tmp_path / "h.csv", said)) as found:
        assert next(found.batches(5)) == [("u", ["b", "a"])]
    # By position the first line is a row, and no other column is looked for.
    (tmp_path / "u.data").write_text("196\t242\t3\t881250949\n196\t7\t3\t881250940\n")
    for said, items in (({"time": 4}, ["7", "242"]), ({}, ["242", "7"])):
        with gathered(read(tmp_path / "u.data", {"user": 1, "item": 2} | said)) as found:
            assert next(found.batches(5)) == [("196", items)]
    lines = '{"user_id": "u", "asin": "x", "parent_asin": "a", "timestamp": 5}\n'
    (tmp_path / "h.jsonl").write_text(lines)
    with gathered(read(tmp_path / "h.jsonl", {"item": "parent_asin"})) as found:
        assert next(found.batches(5)) == [("u", ["a"])]
    with pytest.raises(ValueError, match="there is no column 'what' for the item; there is: cust"):
        next(read(tmp_path / "h.csv", {"item": "what"}))
    with pytest.raises(ValueError, match="there is no column 9 for the user"):
        next(read(tmp_path / "u.data", {"user": 9, "item": 2}))


def test_standard_input_is_read_as_a_file_is(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(csv_text("\t").encode())))
    assert histories("-") == HISTORIES


def test_without_times_the_order_of_rows_is_that_of_time(tmp_path) -> None:
    (tmp_path / "h.csv").write_text("user,item\n1,9\n2,8\n1,7\n\n1,8\n")
    assert histories(tmp_path / "h.csv") == [("1", ["9", "7", "8"]), ("2", ["8"])]


def test_a_time_that_is_not_known_as_one_is_told(tmp_path, capsys) -> None:
    (tmp_path / "h.csv").write_text("user,item,ordered\nu,a,2\nu,b,1\n")
    assert histories(tmp_path / "h.csv") == [("u", ["a", "b"])]
    assert "none of ordered is known to be the time" in "".join(capsys.readouterr())
    (tmp_path / "h.csv").write_text("user,item\nu,a\n")
    (tmp_path / "h.jsonl").write_text('{"user": "u", "items": ["a"], "age": 3}\n')
    for name in ("h.csv", "h.jsonl"):
        assert histories(tmp_path / name) == [("u", ["a"])]
        assert "".join(capsys.readouterr()) == ""
    (tmp_path / "h.csv").write_text("21\t4\t5\t876324973\n")
    with pytest.raises(ValueError, match="or by position, as in user=1,item=2"):
        histories(tmp_path / "h.csv")
    assert "".join(capsys.readouterr()) == ""  # the error has said it


def test_dates_and_long_numbers_order_as_times(tmp_path) -> None:
    days = ["2024-05-31", "2024-05-30T23:00:00+00:00", "2024-05-31 00:00:01"]
    rows = "".join(f"u,{item},{day}\n" for item, day in zip("bac", days, strict=True))
    (tmp_path / "h.csv").write_text("user,item,time\n" + rows)
    assert histories(tmp_path / "h.csv") == [("u", ["a", "b", "c"])]
    # Nanoseconds differ where a float of 64 bits no longer does.
    first = 1_700_000_000_000_000_001
    (tmp_path / "h.csv").write_text(f"user,item,time\nu,b,{first}\nu,a,{first - 1}\n")
    assert histories(tmp_path / "h.csv") == [("u", ["a", "b"])]


def test_spaces_around_names_and_times_are_no_part_of_them(tmp_path) -> None:
    (tmp_path / "h.csv").write_text("user, item, time\nK L, b , 2024-05-31\nK L ,a, 2024-05-30\n")
    assert histories(tmp_path / "h.csv") == [("K L", ["a", "b"])]
    (tmp_path / "h.csv").write_text("user,item\nu,  \n")
    with pytest.raises(ValueError, match="line 2: item is empty"):
        histories(tmp_path / "h.csv")


def test_a_user_without_items_is_one(tmp_path) -> None:
    (tmp_path / "h.jsonl").write_text('{"user": 3, "items": []}\n{"user": 4, "items": [7]}\n')
    assert histories(tmp_path / "h.jsonl") == [("3", []), ("4", ["7"])]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "first line is empty"),
        ("user,item,time\n", "no history below the header"),
        ("anna,thing,when\nu,a,1\n", "has: anna, thing, when. Say which is which: --columns"),
        ("user_id,asin,parent_asin\nu,a,1\n", "the item may be any of asin, parent_asin. Say"),
        ("u,a,1\nu,b,2\n", "user and item"),
        ("user,item\nu,a\nu\n", "line 3: 1 fields, where the first line has 2"),
        ("user,item\nu,a\nu,\n", "line 3: item is empty"),
        ("user,item,time\nu,a,soon\n", "line 2: time is 'soon'"),
        ("user,item,time\nu,a,nan\n", "line 2: time is 'nan'"),
        ("user,item,time\nu,a,1\nu,b,2024-05-31\n", "line 3: a date as the time"),
        ('{"user": "u", "items": "abc"}', "line 1: items are a list"),
        ('{"user": "u", "items": [1.5]}', "line 1: item is 1.5"),
        ('{"user": "u", "items": [true]}', "line 1: item is True"),
        ('{"user": "u"}', 'line 1: an object needs "user"'),
        ('{"user": "u", "items": []}\n{"user": ', "line 2: no JSON"),
        ('{"user": "u", "item": "a", "time": 1}\n{"user": "u", "item": "a"}', "line 2: nothing"),
        (
            '{"user": "u", "item": "a"}\n{"user": "u", "item": "b", "time": 1}',
            "line 2: time may be the time, and the first line has none",
        ),
        ("user,item\nu,\xe9\n", "not UTF-8"),
        pytest.param("user,item\n" + "u" * (2**24 + 1), "line 2: it is longer", id="endless"),
        pytest.param("u" * 2**18 + ",v\n", "line 1: field larger than", id="long name"),
        pytest.param("user,item\n" + "u" * 2**18 + ",v\n", "line 2: field larger", id="long field"),
        ('user,item\nu,"a"b\n', "line 2: ',' expected after '\"'. Close all double quotes"),
    ],
)
def test_what_is_no_history_is_refused_with_its_place(tmp_path, text, said) -> None:
    (tmp_path / "h").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError) as caught:
        histories(tmp_path / "h")
    assert said in str(caught.value)


def test_a_first_line_that_is_a_row_is_named_too(tmp_path) -> None:
    (tmp_path / "h").write_text("u," + "v" * 2**18 + "\n")
    with pytest.raises(ValueError, match=r"h, line 1: field larger .* take the right file"):
        next(read(tmp_path / "h", {"user": 1, "item": 2}))


def test_a_full_temporary_folder_is_named(tmp_path, monkeypatch) -> None:
    connect = sqlite3.connect

    def tiny(name: str) -> sqlite3.Connection:
        database = connect(name)
        database.execute("PRAGMA max_page_count = 2")
        return database

    monkeypatch.setattr(sqlite3, "connect", tiny)
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    said = f"cannot be sorted in {tmp_path}: database or disk is full. Make room there"
    rows = [Row(f"user {n}", f"item {n}", n) for n in range(10_000)]
    with pytest.raises(OSError, match=said), gathered(rows):
        pass
    # Sorting takes room too, once the rows are in.
    with pytest.raises(OSError, match=said), gathered([Row("u", "a", 1)]):
        raise sqlite3.OperationalError("database or disk is full")
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(OSError, match=said), gathered(rows):
        pass


def test_numbers_with_a_point_are_no_names_in_parquet(tmp_path) -> None:
    pq.write_table(pa.table({"user": ["u"], "item": [7.0]}), tmp_path / "h.parquet")
    with pytest.raises(ValueError, match="the column item holds double"):
        histories(tmp_path / "h.parquet")
    (tmp_path / "h.parquet").write_text("no such")
    with pytest.raises(ValueError, match="no Parquet file"):
        histories(tmp_path / "h.parquet")
    with pytest.raises(FileNotFoundError, match="no file"):
        histories(tmp_path / "nowhere")
