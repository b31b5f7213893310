"""What holds for any file: it is read as it was written, or refused in words."""

import csv
import io
import tempfile
from pathlib import Path

import fuzz_readers
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_tables import START, read, rows_of

from lohrec.common import job_log

QUICK = settings(max_examples=30, deadline=None, derandomize=True, database=None)
# Letters, digits, punctuation and symbols of all scripts.
NAME = st.text(
    st.characters(categories=["L", "N", "P", "S"], exclude_characters="\ufffd"),
    min_size=1,
    max_size=6,
)
PARQUET = io.BytesIO()
pl.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "time": [1, 2]}).write_parquet(PARQUET)


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


@QUICK
@given(st.integers(0, len(PARQUET.getvalue()) - 1), st.integers(1, 255))
def test_a_parquet_file_with_a_wrong_byte_is_read_or_refused_in_words(
    folder: Path, place: int, change: int
) -> None:
    content = bytearray(PARQUET.getvalue())
    content[place] ^= change
    (folder / "a.parquet").write_bytes(content)
    try:
        read({"interactions": folder / "a.parquet"})
    except Exception as error:
        assert "Nobody foresaw" not in job_log.message(error)
