"""Amazon reviews of the 2018 edition (Section 4.1): a k-core of reviews with product metadata."""

import gzip
import io
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from lohrec.common.job_log import progress
from lohrec.data import interactions
from lohrec.data.interactions import Ingested, Interactions
from lohrec.data.item_texts import ItemText, item_text

SETTINGS: dict[str, Any] = {}
READS = ("core", "tie_seed")
FILES: dict[str, dict[str, Any]] = {
    "reviews": {
        "file": "{category}_5.json.gz",
        # All reviews, or ratings.
        "also": ["{category}.json.gz", "{category}.csv.gz", "{category}.csv"],
        "url": "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_v2/categoryFilesSmall/{file}",
    },
    "metadata": {
        "file": "meta_{category}.json.gz",
        "url": "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_v2/metaFiles2/{file}",
    },
}

# Reviews held as Python's objects before they move into Arrow's buffers.
BATCH = 2**18

_KINDS = {"reviewerID": str, "asin": str, "unixReviewTime": int}


def read(paths: Mapping[str, Path], core: int, tie_seed: int = 0) -> Ingested:
    """Read, drop repeats, take the k-core and drop items without metadata.

    Args:
        paths: of `reviews` and `metadata`.
        core: fewest interactions of a user and of an item.
        tie_seed: of the order of a user's items of one time.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file is damaged or of another kind, or nothing is left.
    """
    everything, counted = read_reviews(paths["reviews"])
    print(f"{paths['reviews']}: {counted['lines']} lines, rejected {counted['rejected']}")
    distinct = interactions.drop_repeats(everything)
    counted["repeats"] = len(everything) - len(distinct)
    print(f"{counted['repeats']} repeats dropped; {distinct.counts()}")

    # Before the metadata, so that text is held for items that can stay only.
    candidates, rounds = interactions.core(distinct, core)
    print(f"{core}-core after {rounds} rounds; {candidates.counts()}")
    texts, counted["metadata"] = read_metadata(
        paths["metadata"], candidates.item_names().to_pylist()
    )
    print(f"{paths['metadata']}: {counted['metadata']}")
    described = interactions.keep_items(candidates, list(texts))
    before, after = candidates.counts(), described.counts()
    counted["without_metadata"] = {
        what: before[what] - after[what] for what in ("items", "interactions")
    }
    print(f"Without metadata: {counted['without_metadata']}")
    kept, more = interactions.core(described, core)
    counted["core_rounds"] = rounds + more
    print(f"Kept: {kept.counts()}")
    return Ingested(interactions.renumber(kept, tie_seed), texts, counted)


def read_reviews(path: str | Path) -> tuple[Interactions, dict[str, Any]]:
    """Read reviews: JSON, an object a line, or the ratings CSV `item,user,rating,timestamp`.

    The name tells which: .json, .json.gz, .csv or .csv.gz; the CSV has no header.

    Returns:
        Interactions in the order of lines, and {"lines": n, "rejected": {reason: lines}}.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, of another kind, or has no usable line.
    """
    path = Path(path)
    parse = _parser(path)
    rejected: Counter[str] = Counter()
    lines = 0
    user: list[str] = []
    item: list[str] = []
    time: list[int] = []
    batches = []
    for line in _lines(path, "reviews"):
        lines += 1
        review = parse(line)
        if isinstance(review, str):
            rejected[review] += 1
            continue
        user.append(review[0])
        item.append(review[1])
        time.append(review[2])
        if len(user) == BATCH:
            batches.append(_columns(user, item, time))
            user, item, time = [], [], []
    if user:
        batches.append(_columns(user, item, time))
    if not batches:
        raise ValueError(
            f"{path} has no usable review in {lines} lines (rejected: {dict(rejected)}). "
            "Expected are JSON objects with reviewerID, asin and unixReviewTime, one a line, or "
            "lines of item,user,rating,timestamp in a .csv."
        )
    table = pa.Table.from_batches(batches)
    users = table["user"].dictionary_encode().combine_chunks()
    items = table["item"].dictionary_encode().combine_chunks()
    reviews = Interactions(
        users.indices.to_numpy(),
        items.indices.to_numpy(),
        table["time"].to_numpy(),
        users.dictionary,
        items.dictionary,
    )
    return reviews, {"lines": lines, "rejected": dict(sorted(rejected.items()))}


def read_metadata(
    path: str | Path, wanted: Collection[str]
) -> tuple[dict[str, ItemText], dict[str, Any]]:
    """Read the text of the wanted items from product metadata: JSON, an object a line.

    Returns:
        Cleaned text by ASIN, and {"lines": n, "rejected": {reason: lines}, "repeats": rows of an
        item that had one before (the first counts)}.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or knows none of the items.
    """
    path = Path(path)
    wanted = frozenset(wanted)
    texts: dict[str, ItemText] = {}
    rejected: Counter[str] = Counter()
    lines = repeats = 0
    for line in _lines(path, "metadata"):
        lines += 1
        record = _object(line)
        if isinstance(record, str):
            rejected[record] += 1
            continue
        fault = _fault(record, "asin", str)
        asin = record.get("asin")
        if fault:
            rejected[fault] += 1
        elif asin in texts:
            repeats += 1
        elif asin in wanted:
            try:
                texts[asin] = item_text(record)
            except TypeError as error:
                rejected[f"wrong_type_{error}"] += 1
    if not texts:
        raise ValueError(
            f"{path} has none of the {len(wanted)} items of the reviews in {lines} lines "
            f"(rejected: {dict(rejected)}). Use the meta_*.json.gz of the reviews' category."
        )
    report = {"lines": lines, "rejected": dict(sorted(rejected.items())), "repeats": repeats}
    return texts, report


def _parser(path: Path) -> Callable[[bytes], tuple[str, str, int] | str]:
    name = path.name.removesuffix(".gz")
    if name.endswith(".json"):
        return _parse_review
    if name.endswith(".csv"):
        return _parse_rating
    raise ValueError(f"{path}: reviews end in .json, .json.gz, .csv or .csv.gz. Rename the file.")


def _parse_review(line: bytes) -> tuple[str, str, int] | str:
    """(reviewer, asin, time) of a JSON line, or the reason why not."""
    record = _object(line)
    if isinstance(record, str):
        return record
    reviewer, asin, time = map(record.get, _KINDS)
    if type(reviewer) is str and type(asin) is str and type(time) is int and reviewer and asin:
        in_range = -(2**63) <= time < 2**63
        return (reviewer, asin, time) if in_range else "wrong_type_unixReviewTime"
    faults = (_fault(record, key, kind) for key, kind in _KINDS.items())
    return next(filter(None, faults))


def _parse_rating(line: bytes) -> tuple[str, str, int] | str:
    """(reviewer, asin, time) of a line of the ratings CSV, or the reason why not."""
    if line.isspace():
        return "blank"
    fields = line.rstrip(b"\r\n").split(b",")
    if len(fields) != 4:
        return "not_4_fields"
    item, user, _, time = fields
    if not item or not user:
        return "missing_user" if item else "missing_item"
    try:
        review = user.decode(), item.decode(), int(time)
    except UnicodeDecodeError:
        return "not_utf8"
    except ValueError:
        return "wrong_type_timestamp"
    return review if -(2**63) <= review[2] < 2**63 else "wrong_type_timestamp"


def _object(line: bytes) -> dict[str, Any] | str:
    """A JSON object, or the reason why the line is none."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return "not_json" if line.strip() else "blank"
    return record if type(record) is dict else "not_an_object"


def _fault(record: Mapping[str, Any], key: str, kind: type) -> str | None:
    """The reason why a value is unusable, or None; null and empty strings count as missing."""
    value = record.get(key)
    if value is None or value == "":
        return f"missing_{key}"
    return None if type(value) is kind else f"wrong_type_{key}"


def _columns(user: list[str], item: list[str], time: list[int]) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "user": pa.array(user, pa.string()),
            "item": pa.array(item, pa.string()),
            "time": pa.array(time, pa.int64()),
        }
    )


def _lines(path: Path, what: str) -> Iterator[bytes]:
    """Lines of a file, unpacked if its name ends in .gz; faults become clear errors."""
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file of {what} at {path}. Download it, or put your own there."
        )
    with (
        open(path, "rb") as raw,
        progress(None, f"{what} {path.name}", total=path.stat().st_size, unit="B") as bar,
    ):
        packed = path.suffix == ".gz"
        file = io.BufferedReader(gzip.GzipFile(fileobj=raw), 2**20) if packed else raw
        try:
            for number, line in enumerate(file, 1):
                yield line
                if number % BATCH == 0:
                    bar.update(raw.tell() - bar.n)
        except EOFError as error:
            raise ValueError(
                f"{path} is cut short: its gzip stream has no end. Delete it and download it again."
            ) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(
                f"{path} is no gzip file, or a damaged one ({error}). Delete it and download it "
                "again; if it is not packed, take .gz from its name."
            ) from error
