"""A table of one's own: columns, names and times as they are, or an error that shows rows."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tiny_tables import (
    ITEMS,
    NAMED,
    NAMES,
    ROWS,
    START,
    USERS,
    csv,
    objects,
    read,
    rows_of,
)

EXPECTED = sorted((u, i, t) for u, i, _, t in NAMED)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv", "a.txt", "a.jsonl", "a.parquet"])
def test_formats_say_the_same(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.parquet":
        pl.DataFrame(NAMED, NAMES, orient="row").write_parquet(path)
    elif name == "a.jsonl":
        objects(path, [dict(zip(NAMES, row, strict=True)) for row in NAMED])
    else:
        csv(path, separator={"a.tsv": "\t", "a.txt": ";"}.get(name, ","))
    assert sorted(rows_of(read({"interactions": path}))) == EXPECTED


def test_a_folder_of_parts_is_one_table(tmp_path: Path) -> None:
    parts = [csv(tmp_path / "1.csv", NAMED[:9]), csv(tmp_path / "2.csv", NAMED[9:])]
    assert sorted(rows_of(read({"interactions": parts}))) == EXPECTED
    parts[1].write_text(parts[1].read_text() + "u1,,5,1500000000\n")
    with pytest.raises(ValueError, match=r"line 25 of 2\.csv \(missing_item\)"):
        read({"interactions": parts})
    parts[1] = csv(tmp_path / "2.csv", NAMED[9:], ("user", "item", "rating", "date"))
    with pytest.raises(ValueError, match=r"2\.csv has other columns than .*1\.csv"):
        read({"interactions": parts})


def test_a_name_of_a_file_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "a[1]").mkdir()
    (tmp_path / "a1").mkdir()
    csv(tmp_path / "a1/x.csv", NAMED[:9])
    path = csv(tmp_path / "a[1]/x.csv")
    assert sorted(rows_of(read({"interactions": path}))) == EXPECTED


def test_names_of_json_are_texts_or_numbers_in_all_parts(tmp_path: Path) -> None:
    rows = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
    texts = [row | {"user": str(row["user"])} for row in rows]
    parts = [objects(tmp_path / "1.jsonl", rows[:9]), objects(tmp_path / "2.jsonl", texts[9:])]
    with pytest.raises(ValueError, match='user is 2 in some places and "2" in others'):
        read({"interactions": parts})


def test_names_are_the_texts_that_they_are(tmp_path: Path) -> None:
    rows = [(f'"K, {u}"', f"00{i}", r, t) for u, i, r, t in ROWS]
    path = tmp_path / "shop.csv"
    lines = [("user_id", "sku", "stars", "time"), *rows]
    content = "\ufeff" + "".join(",".join(map(str, line)) + "\r\n" for line in lines)
    path.write_bytes(content.encode())
    found = read({"interactions": path})
    assert found.interactions.users.to_pylist() == [f"K, {u}" for u in range(USERS)]
    assert found.interactions.items.to_pylist() == [f"00{i}" for i in range(ITEMS)]
    assert found.counted["mended"] == {"byte_order_mark": 1, "files_with_crlf": 1}


def test_columns_are_found_by_header_and_not_by_place(tmp_path: Path) -> None:
    rows = [(t, i, u) for u, i, _, t in NAMED]
    for names in (("timestamp", "movieId", "userId"), ("ts", "Product", "visitor")):
        path = csv(tmp_path / "a.csv", rows, names)
        assert sorted(rows_of(read({"interactions": path}))) == EXPECTED


def test_columns_can_be_named_or_numbered(tmp_path: Path) -> None:
    rows = [(t, i, u) for u, i, _, t in NAMED]
    columns = {"user": "who", "item": "what", "time": "when"}
    path = csv(tmp_path / "a.csv", rows, ("when", "what", "who"))
    assert sorted(rows_of(read({"interactions": path}, columns=columns))) == EXPECTED
    columns = {"user": 3, "item": 2, "time": 1}
    # With a header or without one.
    assert sorted(rows_of(read({"interactions": path}, columns=columns))) == EXPECTED
    path = csv(tmp_path / "b.csv", rows, None)
    assert sorted(rows_of(read({"interactions": path}, columns=columns))) == EXPECTED


@pytest.mark.parametrize(
    ("names", "columns", "problem"),
    [
        (None, {}, "no column is known by its name for the user"),
        (("a", "b", "c", "d"), {}, "no column is known by its name for the user"),
        (("user", "customer", "item", "time"), {}, "the user may be any of user, customer"),
        (NAMES, {"user": "buyer"}, "there is no column 'buyer' for the user"),
        (NAMES, {"user": "item", "item": "user"}, "the user is 'item', an item by name"),
        (NAMES, {"user": 9}, "there is no column 9 for the user"),
        (NAMES, {"rating": "user"}, "one column is user and rating"),
        (NAMES, {"rating": "mark"}, "there is no column 'mark' for the rating"),
    ],
)
def test_what_is_not_clear_is_an_error_that_shows_three_rows(
    tmp_path: Path, names: Any, columns: dict, problem: str
) -> None:
    path = csv(tmp_path / "a.csv", names=names)
    with pytest.raises(ValueError) as error:
        read({"interactions": path}, columns=columns)
    said = str(error.value)
    assert problem in said and str(path) in said
    rows = [",".join(map(str, row)) for row in [*([names] if names else []), *NAMED][:3]]
    for number, row in enumerate(rows, 1):
        assert f"  {number}: {row.replace(',', ' | ')}\n" in said
    assert "Taken for: " in said
    if names and not columns and "user" in names:  # what is clear beside it is said
        assert "Taken for: item = column 3, time = column 4, user = ?. " in said
    assert "sources.table.columns" in said and "as in {user: USER, item: ITEM, time: TIME}" in said


@pytest.mark.parametrize(
    ("write", "unit", "scale"),
    [
        (lambda t: t * 1000 + 5, "ms", 1000),
        (lambda t: t * 10**6, "us", 10**6),
        (lambda t: t * 10**9, "ns", 10**9),
        (lambda t: f"{t}.0", "s", 1),
        (lambda t: f"{t}.25", "us", 10**6),
        (lambda t: datetime.fromtimestamp(t, UTC).isoformat(), "s", 1),
        (lambda t: datetime.fromtimestamp(t, UTC).isoformat(timespec="minutes"), "s", 1),
        (lambda t: datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%d %H:%M:%S"), "s", 1),
        (lambda t: datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%dT%H:%M:%S.5Z"), "us", 10**6),
    ],
)
def test_the_unit_of_times_is_found_and_said(
    tmp_path: Path, write: Any, unit: str, scale: int
) -> None:
    path = csv(tmp_path / "a.csv", [(u, i, r, write(t)) for u, i, r, t in NAMED])
    found = read({"interactions": path})
    assert found.counted["taken_for"]["time"]["unit"] == unit
    assert found.counted["taken_for"]["time"]["from"] == "2017-07-14"
    assert [(u, i, t // scale) for u, i, t in rows_of(found)] == EXPECTED_IN_ORDER


EXPECTED_IN_ORDER = sorted(EXPECTED, key=lambda row: (row[0], row[2]))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda n, t: t * (1000 if n < 9 else 1), r"23 look like s:\n  line 11: user u2.*\n9 look"),
        (lambda n, t: "2017-07-14" if n < 9 else t, "9 look like dates"),
        (lambda n, t: f"201707{14 + n % 4}120000", "are no s, ms, us, ns of today"),
        (lambda n, t: f"0{n % 4 + 1}/07/2017", "no usable line"),
    ],
)
def test_times_that_are_not_sure_are_refused(tmp_path: Path, write: Any, message: str) -> None:
    rows = [(u, i, r, write(n, t)) for n, (u, i, r, t) in enumerate(NAMED)]
    path = csv(tmp_path / "a.csv", rows)
    with pytest.raises(ValueError) as error:
        read({"interactions": path})
    pieces = message.split(r".*\n")
    for piece in pieces:
        assert piece.replace(r"\n", "\n") in str(error.value)


def test_numbers_that_only_order_and_a_unit_that_is_said(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", [(u, i, r, (t - START) // 86_400) for u, i, r, t in NAMED])
    found = read({"interactions": path})
    assert found.counted["taken_for"]["time"]["unit"] == "order"
    path = csv(tmp_path / "b.csv", [(u, i, r, f"201707{14 + r}120000") for u, i, r, _ in NAMED])
    assert len(read({"interactions": path}, time_unit="order").interactions) == len(ROWS)


def test_low_ratings_and_late_times_are_left_out(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv")
    found = read({"interactions": path}, min_rating=3)
    assert found.counted["left_out"] == {"below_min_rating": USERS}  # the last of everybody's four
    assert len(found.interactions) == 3 * USERS
    path = csv(tmp_path / "b.csv", [(u, i, "nan" if r < 3 else r, t) for u, i, r, t in NAMED])
    found = read({"interactions": path}, min_rating=3, most_rejected=0.5)
    assert found.counted["rejected"] == {"no_rating": USERS}
    path = csv(tmp_path / "a.csv")
    found = read({"interactions": path}, until="2017-07-17")
    assert found.counted["left_out"] == {"from_until_on": USERS}
    with pytest.raises(ValueError, match="write it as 2020-12-31"):
        read({"interactions": path}, until="soon")
    path = csv(tmp_path / "b.csv", [(u, i, t) for u, i, _, t in NAMED], ("user", "item", "time"))
    with pytest.raises(ValueError, match="no column of ratings"):
        read({"interactions": path}, min_rating=3)


def test_spaces_and_nul_are_taken_out_and_counted(tmp_path: Path) -> None:
    rows = [(u, f" {i}" if n % 2 else i, r, t) for n, (u, i, r, t) in enumerate(NAMED)]
    rows[0] = (f"\0{rows[0][0]}", *rows[0][1:])
    found = read({"interactions": csv(tmp_path / "a.csv", rows)})
    assert sorted(rows_of(found)) == EXPECTED
    assert found.counted["mended"] == {"lines_with_nul": 1, "lines_with_spaces": 16}


@pytest.mark.parametrize("sign", ["\x0b", "\x1c", "\x85", "\u2028", "\r"])
def test_what_ends_no_line_may_stand_within_a_name(tmp_path: Path, sign: str) -> None:
    rows = [(u, f"{i}{sign}b", r, t) for u, i, r, t in NAMED]
    found = read({"interactions": csv(tmp_path / "a.csv", rows)})
    assert sorted(rows_of(found)) == [(u, f"{i}{sign}b", t) for u, i, t in EXPECTED]


BAD = {
    "too_many_fields": "u1,i1,1,1500000000,more",
    "missing_user": ",i1,1,1500000000",
    "missing_item": "u1,,1,1500000000",
    "missing_time": "u1,i1,1",
    "no_time": "u1,i1,1,yesterday",
}


@pytest.mark.parametrize("reason", BAD)
def test_lines_that_cannot_be_used_are_counted_and_too_many_stop(
    tmp_path: Path, reason: str
) -> None:
    path = csv(tmp_path / "a.csv", [*NAMED, *NAMED, *NAMED, *NAMED])
    path.write_text(path.read_text() + BAD[reason] + "\n\n")
    found = read({"interactions": path})
    lines = 4 * len(NAMED) + 1
    assert found.counted["lines"] == lines and found.counted["rejected"] == {reason: 1}
    with pytest.raises(ValueError) as error:
        read({"interactions": path}, most_rejected=0.005)
    assert f"1 of {lines} lines rejected: {{'{reason}': 1}}" in str(error.value)
    assert f"line {lines + 1} ({reason}): {BAD[reason]}" in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a\.csv is empty"),
        (b"\n \n", r"a\.csv is empty"),
        (b"just words\n", r"a\.csv: what stands between the fields is not clear"),
        (b"user,item,time\n" + b"u,i,1\n" * 30 + b'"u,i,1\nu,i,1\n', r"a\.csv cannot be read"),
        ("user,item,time\n".encode("utf-16"), r"a\.csv is in UTF-16"),
    ],
)
def test_files_that_are_no_tables_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read({"interactions": tmp_path / "a.csv"})


def test_objects_that_are_no_standard_json_are_read(tmp_path: Path) -> None:
    path = objects(tmp_path / "a.jsonl", [dict(zip(NAMES, row, strict=True)) for row in NAMED])
    lines = path.read_text().splitlines()
    lines[0] = lines[0].replace('"rating": 5', '"rating": NaN')
    lines[1] = lines[1].replace('"u0"', r'"u0\ud83d"')
    lines.append('{"user": "a", "user": "b", "item": "i1", "time": 1500000000}')
    path.write_text("\n".join(lines))
    found = read({"interactions": path}, most_rejected=0.1)
    assert sorted(rows_of(found)) == EXPECTED
    assert found.counted["mended"] == {"halves_of_characters": 1, "json_of_python": 2}
    assert found.counted["rejected"] == {"duplicate_key": 1}


def test_times_that_are_texts_or_have_a_fraction_are_counted_in_json(tmp_path: Path) -> None:
    kinds = (int, str, float)
    rows = [(u, i, r, kinds[n % 3](t)) for n, (u, i, r, t) in enumerate(NAMED)]
    path = objects(tmp_path / "a.jsonl", [dict(zip(NAMES, row, strict=True)) for row in rows])
    found = read({"interactions": path})
    assert sorted(rows_of(found)) == EXPECTED
    assert found.counted["mended"] == {"times_as_text": 11, "times_with_fraction": 10}
