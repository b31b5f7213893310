"""What holds for any file: it is read as it was written, or refused in words."""

import csv
import tempfile
from pathlib import Path

import fuzz_readers
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from tiny_tables import NAMED, NAMES, START, read, rows_of

from lohrec.common import job_log

QUICK = settings(max_examples=30, deadline=None, derandomize=True, database=None)
# Letters, digits, punctuation and symbols of all scripts.
NAME = st.text(
    st.characters(categories=["L", "N", "P", "S"], exclude_characters="\ufffd"),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(tempfile.mkdtemp())


@QUICK
@given(
    st.lists(NAME, min_size=3, max_size=5, unique=True),
    st.lists(NAME, min_size=3, max_size=4, unique=True),
    st.randoms(use_true_random=False),
)
def test_names_are_read_as_they_are_written_in_any_order_of_lines(
    folder: Path, users: list[str], items: list[str], random
) -> None:
    rows = [
        (user, item, START + 86_400 * place) for user in users for place, item in enumerate(items)
    ]
    random.shuffle(rows)
    with open(folder / "a.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("user", "item", "time"), *rows])
    found = read({"interactions": folder / "a.csv"})
    assert sorted(rows_of(found)) == sorted(rows)
    assert rows_of(found) == sorted(rows, key=lambda row: (row[0], row[2]))


@QUICK
@given(st.integers(0, 2 * len(fuzz_readers.READERS) - 1), st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_words(reader: int, content: bytes) -> None:
    fuzz_readers.feed(bytes([reader]) + content)


def test_a_parquet_file_is_read_or_refused_whichever_byte_is_wrong(folder: Path) -> None:
    columns = zip(NAMES, map(list, zip(*NAMED, strict=True)), strict=True)
    path = folder / "a.parquet"
    parquet.write_table(pa.table(dict(columns)), path)
    whole, refusals = path.read_bytes(), 0
    assert len(read({"interactions": path}).interactions) == len(NAMED)
    for place in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[place] ^= 255
        path.write_bytes(damaged)
        try:
            read({"interactions": path})
        except ValueError as error:
            said = job_log.message(error)
            assert "a.parquet" in said and "Nobody foresaw" not in said, place
            refusals += 1
    assert refusals > 200
