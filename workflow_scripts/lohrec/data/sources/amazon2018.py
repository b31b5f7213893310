"""Amazon reviews of the 2018 edition (Section 4.1): a k-core of reviews with product metadata."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from lohrec.common import job_log
from lohrec.data import interactions, item_tables, layout, raw_lines, times
from lohrec.data.interactions import Ingested, Interactions
from lohrec.data.item_texts import ItemText
from lohrec.data.rejected import Rejected

SETTINGS: dict[str, Any] = {
    "without_metadata": {
        "enum": ["drop", "keep"], "default": "drop",
        "description": (
            "What becomes of the items that the metadata does not have: they are dropped as in the "
            "paper, or kept without a text (see text.without)."
        ),
    },
}  # fmt: skip
TERMS = "those of the Amazon review data (2018), collected by Ni, Li and McAuley: see its site"
READS = ("core", "tie_seed", "most_rejected", "without_metadata")
# Any other category is somebody's own and is not looked for on a server.
PUBLISHED = (
    "AMAZON_FASHION", "All_Beauty", "Appliances", "Arts_Crafts_and_Sewing", "Automotive", "Books",
    "CDs_and_Vinyl", "Cell_Phones_and_Accessories", "Clothing_Shoes_and_Jewelry", "Digital_Music",
    "Electronics", "Gift_Cards", "Grocery_and_Gourmet_Food", "Home_and_Kitchen",
    "Industrial_and_Scientific", "Kindle_Store", "Luxury_Beauty", "Magazine_Subscriptions",
    "Movies_and_TV", "Musical_Instruments", "Office_Products", "Patio_Lawn_and_Garden",
    "Pet_Supplies", "Prime_Pantry", "Software", "Sports_and_Outdoors",
    "Tools_and_Home_Improvement", "Toys_and_Games", "Video_Games",
)  # fmt: skip
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

SAMPLE = 10_000  # names by which exchanged columns are known

# Reviews held as Python's objects before they move into Arrow's buffers.
BATCH = 2**18

_KINDS = {"reviewerID": str, "asin": str, "unixReviewTime": int}
_ONCE = [f'"{key}"'.encode() for key in _KINDS]


def read(
    paths: Mapping[str, Path],
    core: int,
    tie_seed: int = 0,
    most_rejected: float = 1.0,
    without_metadata: str = "drop",
) -> Ingested:
    """Read, drop repeats, take the k-core and drop items without metadata.

    Args:
        paths: of `reviews` and `metadata`.
        core: fewest interactions of a user and of an item.
        tie_seed: of the order of a user's items of one time.
        most_rejected: the largest share of lines that may be unusable.
        without_metadata: "drop" or "keep".

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file is damaged or of another kind, or nothing is left.
    """
    everything, counted = read_reviews(paths["reviews"], most_rejected)
    print(f"{paths['reviews']}: {counted}")
    distinct = interactions.drop_repeats(everything)
    counted["repeats_dropped"] = len(everything) - len(distinct)
    print(f"{counted['repeats_dropped']} repeats dropped; {distinct.counts()}")

    # Before the metadata, so that text is held for items that can stay only.
    candidates, rounds = interactions.core(distinct, core)
    print(f"{core}-core after {rounds} rounds; {candidates.counts()}")
    texts, counted["metadata"] = read_metadata(
        paths["metadata"], candidates.item_names().to_pylist(), most_rejected
    )
    print(f"{paths['metadata']}: {counted['metadata']}")
    described = candidates
    if without_metadata == "drop":
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


def read_reviews(
    path: str | Path, most_rejected: float = 1.0
) -> tuple[Interactions, dict[str, Any]]:
    """Read reviews: JSON, an object a line, or the ratings CSV `item,user,rating,timestamp`.

    The name tells which: .json, .json.gz, .csv or .csv.gz; the CSV has no header.

    Args:
        most_rejected: the largest share of lines that may be unusable.

    Returns:
        Interactions in the order of lines, and {"lines": n, "rejected": {reason: lines}, "mended":
        {what was done: lines}}.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, of another kind or edition, has too many unusable lines, or
            times in several units.
    """
    path = Path(path)
    parse = _parser(path)
    rejected = Rejected(path)
    mended: Counter[str] = Counter()
    lines = 0
    user: list[str] = []
    item: list[str] = []
    time: list[int] = []
    batches = []
    for line in raw_lines.lines(path, "reviews", mended):
        lines += 1
        review = parse(line, mended)
        if isinstance(review, str):
            rejected.add(review, lines, line)
            if lines == 1 and review == "wrong_type_timestamp":
                raise ValueError(
                    f"{path} has a header or another order of columns, and the ratings of 2018 are "
                    f"item,user,rating,timestamp without one. source: table reads it.\n"
                    f"{rejected.shown()}"
                )
            continue
        user.append(review[0])
        item.append(review[1])
        time.append(review[2])
        if len(user) == BATCH:
            batches.append(_columns(user, item, time))
            user, item, time = [], [], []
    if user:
        batches.append(_columns(user, item, time))
    if not lines:
        raise ValueError(f"{path} is empty. Put the reviews there again.")
    if not batches:
        raise ValueError(
            f"{path} has no usable review in {lines} lines (rejected: {rejected.counts()}). "
            "Expected are JSON objects with reviewerID, asin and unixReviewTime, one a line, or "
            f"lines of item,user,rating,timestamp in a .csv.\n{rejected.shown()}"
        )
    rejected.check(lines, most_rejected)
    if said := rejected.summary(lines):
        job_log.warn(said)
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
    _check(reviews, path)
    return reviews, {
        "lines": lines,
        "rejected": rejected.counts(),
        "mended": dict(sorted((+mended).items())),
    }


def read_metadata(
    path: str | Path, wanted: Collection[str], most_rejected: float = 1.0
) -> tuple[dict[str, ItemText], dict[str, Any]]:
    """Read the text of the wanted items from product metadata: JSON, an object a line.

    Args:
        most_rejected: the largest share of lines that may be unusable.

    Returns:
        Cleaned text by ASIN, and {"lines": n, "rejected": {reason: lines}, "duplicates": rows of
        an item that had one before (the first counts), "mended": {what was done: lines}, "cleaned":
        {what was done: texts}}.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, has too many unusable lines, or knows none of the items.
    """
    of = layout.layout("items", "amazon_2018", {}, None, None)
    return item_tables.read([Path(path)], of, wanted, most_rejected)


def _check(reviews: Interactions, path: Path) -> None:
    """Refuse times in several units, and the CSV of an edition that has the user first."""
    times.check(reviews.time, path)
    of = layout.layout("interactions", "amazon_2018_ratings", {}, None, None)
    users, items = (names[:SAMPLE].to_pylist() for names in (reviews.users, reviews.items))
    if layout.exchanged(users, items, of.items_look_like or ""):
        raise ValueError(
            f"{path}: what should be users are ASINs ({users[0]}), and items are none ({items[0]})."
            " The ratings of 2014 have the user first: source: table, recipe: amazon_2014_ratings."
        )


def _parser(path: Path) -> Callable[[bytes, Counter[str]], tuple[str, str, int] | str]:
    name = path.name.removesuffix(".gz")
    if name.endswith(".json"):
        return _parse_review
    if name.endswith(".csv"):
        return _parse_rating
    raise ValueError(f"{path}: reviews end in .json, .json.gz, .csv or .csv.gz. Rename the file.")


def _parse_review(line: bytes, mended: Counter[str]) -> tuple[str, str, int] | str:
    """(reviewer, asin, time) of a JSON line, or the reason why not."""
    record = raw_lines.json_object(line, _ONCE, mended)
    if isinstance(record, str):
        return record
    reviewer, asin, time = map(record.get, _KINDS)
    if time is not None and type(time) is not int:
        time = record["unixReviewTime"] = raw_lines.whole_number(time, "times", mended)
        if time is None:
            return "wrong_type_unixReviewTime"
    if type(reviewer) is str and type(asin) is str and type(time) is int and reviewer and asin:
        in_range = -(2**63) <= time < 2**63
        return (reviewer, asin, time) if in_range else "wrong_type_unixReviewTime"
    faults = (_fault(record, key, kind) for key, kind in _KINDS.items())
    return next(filter(None, faults))


def _parse_rating(line: bytes, mended: Counter[str]) -> tuple[str, str, int] | str:
    """(reviewer, asin, time) of a line of the ratings CSV, or the reason why not."""
    if not line.strip():
        return "blank"
    fields = [field.strip() for field in line.split(b",")]
    mended["lines_with_spaces"] += b", " in line or b" ," in line
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
