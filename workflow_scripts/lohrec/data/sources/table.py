"""A table of one's own: interactions, and items if there are any, in whatever columns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lohrec.data import interactions, item_tables, layout, table_files, table_interactions
from lohrec.data.interactions import Ingested
from lohrec.data.item_texts import ItemText

SETTINGS: dict[str, Any] = {
    "recipe": {
        "enum": [
            None, "movielens_100k", "movielens_1m", "movielens_csv", "amazon_2014",
            "amazon_2014_ratings", "amazon_2018", "amazon_2018_ratings", "amazon_2023",
            "amazon_2023_ratings", "recbole", "lcrec",
        ],
        "default": None,
        "description": (
            "A known layout (docs/your_data.md); without one, columns are found by their names."
        ),
    },
    "interactions": {
        "type": ["string", "null"], "pattern": r"^(?!/)(?!(.*/)?\.\.(/|$))[^{}*?\[\]]+$",
        "words": "a path below raw_dir, without .. and {}*?[]", "default": None,
        "description": (
            "The file of interactions in raw_dir, or a folder of its parts: CSV, TSV, Parquet or "
            "JSON lines, gzip or not."
        ),
    },
    "items": {
        "type": ["string", "null"], "pattern": r"^(?!/)(?!(.*/)?\.\.(/|$))[^{}*?\[\]]+$",
        "words": "a path below raw_dir, without .. and {}*?[]", "default": None,
        "description": (
            "The file of items, or a folder of its parts; without one, text.method is interactions."
        ),
    },
    "columns": {
        "type": "object", "additionalProperties": False,
        "properties": {
            "user": {"type": ["string", "integer", "null"], "minimum": 1},
            "item": {"type": ["string", "integer", "null"], "minimum": 1},
            "time": {"type": ["string", "integer", "null"], "minimum": 1},
            "rating": {"type": ["string", "integer", "null"], "minimum": 1},
        },
        "default": {"user": None, "item": None, "time": None, "rating": None},
        "description": (
            "Columns of the interactions, by header or by position from 1; one that is not named "
            "is found by its header."
        ),
    },
    "item_columns": {
        "type": "object", "additionalProperties": False,
        "properties": {
            "item": {"type": ["string", "integer", "null"], "minimum": 1},
            "title": {"type": ["string", "integer", "null"], "minimum": 1},
            "description": {"type": ["string", "integer", "null"], "minimum": 1},
            "categories": {"type": ["string", "integer", "null"], "minimum": 1},
            "brand": {"type": ["string", "integer", "null"], "minimum": 1},
            "price": {"type": ["string", "integer", "null"], "minimum": 1},
        },
        "default": {
            "item": None, "title": None, "description": None, "categories": None, "brand": None,
            "price": None,
        },
        "description": "Columns of the items, in the same way; all but the item may be missing.",
    },
    "separator": {
        "type": ["string", "null"], "minLength": 1, "maxLength": 2, "default": None,
        "description": "What stands between the fields of a text; found out where nothing is said.",
    },
    "encoding": {
        "type": ["string", "null"], "default": None,
        "description": "Of a text that is not in UTF-8, such as latin-1.",
    },
    "time_unit": {
        "enum": [None, "s", "ms", "us", "ns", "order"], "default": None,
        "description": (
            "Unit of times that are numbers, `order` if they only order; found by their range "
            "where nothing is said. ISO dates need none."
        ),
    },
    "min_rating": {
        "type": ["number", "null"], "default": None,
        "description": "Interactions rated lower are left out.",
    },
    "until": {
        "type": ["string", "null"], "pattern": r"^\d{4}-\d\d-\d\d([T ].+)?$",
        "words": "a date such as 2020-12-31", "default": None,
        "description": "ISO date (UTC); interactions from then on are left out.",
    },
    "without_text": {
        "enum": ["keep", "drop"], "default": "keep",
        "description": (
            "What becomes of the items that the table of items does not have, and of those without "
            "a word there; see text.without."
        ),
    },
}  # fmt: skip
READS = (
    "recipe", "columns", "item_columns", "separator", "encoding", "time_unit", "min_rating",
    "until", "without_text", "core", "tie_seed", "most_rejected",
)  # fmt: skip
FILES: dict[str, dict[str, Any]] = {
    "interactions": {"setting": "interactions", "parts": True},
    "metadata": {"setting": "items", "parts": True, "optional": True},
}


def read(
    paths: Mapping[str, Path | Sequence[Path]],
    recipe: str | None,
    columns: Mapping[str, layout.Place],
    item_columns: Mapping[str, layout.Place],
    separator: str | None,
    encoding: str | None,
    time_unit: str | None,
    min_rating: float | None,
    until: str | None,
    without_text: str,
    core: int,
    tie_seed: int,
    most_rejected: float,
) -> Ingested:
    """Read, drop repeats and take the k-core.

    Args:
        paths: of `interactions`, and of `metadata` if there is any; a path, or those of the parts.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: it is not clear what a file holds, too much of it is unusable, or nothing is
            left.
    """
    parts = {kind: _parts(path) for kind, path in paths.items()}
    said = separator, encoding
    of = layout.layout("interactions", recipe, columns, *said)
    everything, counted = table_interactions.read(
        parts["interactions"], of, time_unit, min_rating, until, most_rejected
    )
    print(f"{_named(parts['interactions'])}: {counted}")
    distinct = interactions.drop_repeats(everything)
    counted["repeats_dropped"] = len(everything) - len(distinct)
    kept, rounds = interactions.core(distinct, core)
    texts: dict[str, ItemText] = {}
    if "metadata" in parts:
        wanted = kept.item_names().to_pylist()
        # Separator and encoding are those of the interactions, if they are said for both.
        of = layout.layout("items", recipe, item_columns, *((None, None) if recipe else said))
        texts, counted["metadata"] = item_tables.read(parts["metadata"], of, wanted, most_rejected)
        worded = [name for name, text in texts.items() if text.title or text.description]
        counted["without_metadata"] = len(wanted) - len(worded)
        print(f"{_named(parts['metadata'])}: {counted['metadata']}")
        if without_text == "drop":
            kept, more = interactions.core(interactions.keep_items(kept, worded), core)
            rounds += more
    counted["core_rounds"] = rounds
    print(f"{counted['repeats_dropped']} repeats dropped; kept: {kept.counts()}")
    return Ingested(interactions.renumber(kept, tie_seed, ties_by_name=False), texts, counted)


def _named(parts: Sequence[Path]) -> str:
    return ", ".join(map(str, parts))


def _parts(paths: Path | Sequence[Path]) -> Sequence[Path]:
    parts = [paths] if isinstance(paths, Path) else paths
    for part in parts:
        table_files.check_is_there(part)
    return parts
