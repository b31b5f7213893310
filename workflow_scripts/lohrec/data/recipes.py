"""Layouts of files that people have: which column is which, so that a row need only name one.

RECIPES has a row a layout. A row says what of `layout.Layout` differs from what a table of one's
own has, for the interactions and for the items; docs/your_data.md shows them. A file without the
named columns, with another number of `fields` or in another `unit` is refused, and so is one whose
users look as items do.
"""

import re
from collections.abc import Sequence
from typing import Any

_ASIN = "[0-9A-Z]{10}"
_DOTS: dict[str, Any] = {"format": "text", "separator": "::", "quote": None}
_TABS: dict[str, Any] = {"format": "text", "separator": "\t", "quote": None}
_MOVIES = {"item": 1, "title": 2, "categories": 3}
_METADATA = {
    "item": "asin", "title": "title", "description": "description", "categories": "categories",
    "brand": "brand", "price": "price",
}  # fmt: skip
_METADATA_2018 = _METADATA | {"categories": "category"}
_METADATA_2023 = _METADATA | {"item": "parent_asin", "brand": "store"}
_REVIEWS_2023 = {
    "user": "user_id", "item": "parent_asin", "rating": "rating", "time": "timestamp",
}  # fmt: skip
_REVIEWS = {"user": "reviewerID", "item": "asin", "rating": "overall", "time": "unixReviewTime"}

RECIPES: dict[str, dict[str, Any]] = {
    "movielens_100k": {
        "of": "MovieLens 100K",
        "files": "u.data, u.item",
        "interactions": {
            **_TABS, "columns": {"user": 1, "item": 2, "rating": 3, "time": 4}, "fields": 4,
            "unit": "s",
        },
        "items": {
            **_TABS, "separator": "|", "encoding": "latin-1", "columns": {"item": 1, "title": 2},
        },
    },
    "movielens_1m": {
        "of": "MovieLens 1M and 10M",
        "files": "ratings.dat, movies.dat",
        "interactions": {
            **_DOTS, "columns": {"user": 1, "item": 2, "rating": 3, "time": 4}, "fields": 4,
            "unit": "s",
        },
        "items": {
            **_DOTS, "encoding": "latin-1", "columns": _MOVIES, "fields": 3, "list_separator": "|",
        },
    },
    "movielens_csv": {
        "of": "MovieLens 20M, 25M, 32M and the latest small one",
        "files": "ratings.csv, movies.csv",
        "interactions": {
            "format": "text", "separator": ",", "unit": "s",
            "columns": {
                "user": "userId", "item": "movieId", "rating": "rating", "time": "timestamp",
            },
        },
        "items": {
            "format": "text", "separator": ",", "list_separator": "|",
            "columns": {"item": "movieId", "title": "title", "categories": "genres"},
        },
    },
    "amazon_2014": {
        "of": "Amazon reviews of 2014, a Python literal a line",
        "files": "reviews_CATEGORY_5.json.gz, meta_CATEGORY.json.gz",
        "interactions": {"format": "python", "unit": "s", "columns": _REVIEWS},
        "items": {"format": "python", "columns": _METADATA},
    },
    "amazon_2014_ratings": {
        "of": "Amazon ratings of 2014, user first",
        "files": "ratings_CATEGORY.csv, meta_CATEGORY.json.gz",
        "interactions": {
            "format": "text", "separator": ",", "unit": "s", "fields": 4,
            "columns": {"user": 1, "item": 2, "rating": 3, "time": 4}, "items_look_like": _ASIN,
        },
        "items": {"format": "python", "columns": _METADATA},
    },
    "amazon_2018": {
        "of": "Amazon reviews of 2018, a JSON object a line",
        "files": "CATEGORY_5.json.gz, meta_CATEGORY.json.gz",
        "interactions": {"format": "json", "unit": "s", "columns": _REVIEWS},
        "items": {"format": "json", "columns": _METADATA_2018},
    },
    "amazon_2018_ratings": {
        "of": "Amazon ratings of 2018, item first",
        "files": "CATEGORY.csv, meta_CATEGORY.json.gz",
        "interactions": {
            "format": "text", "separator": ",", "unit": "s", "fields": 4,
            "columns": {"item": 1, "user": 2, "rating": 3, "time": 4}, "items_look_like": _ASIN,
        },
        "items": {"format": "json", "columns": _METADATA_2018},
    },
    "amazon_2023": {
        "of": "Amazon reviews of 2023, a JSON object a line; variants of a product are one item",
        "files": "CATEGORY.jsonl.gz, meta_CATEGORY.jsonl.gz",
        "interactions": {
            "format": "json", "unit": "ms",
            "columns": _REVIEWS_2023,
        },
        "items": {"format": "json", "columns": _METADATA_2023},
    },
    "amazon_2023_ratings": {
        "of": "Amazon ratings of 2023, with a header",
        "files": "CATEGORY.csv.gz, meta_CATEGORY.jsonl.gz",
        "interactions": {
            "format": "text", "separator": ",", "unit": "ms",
            "columns": _REVIEWS_2023,
        },
        "items": {"format": "json", "columns": _METADATA_2023},
    },
    "recbole": {
        "of": "RecBole's atomic files; types in the header",
        "files": "NAME.inter, NAME.item",
        "interactions": {
            **_TABS, "columns": {"user": "user_id", "item": "item_id", "time": "timestamp"},
        },
        "items": {
            **_TABS, "list_separator": " ", "columns": {"item": "item_id"},
        },
    },
    "lcrec": {
        "of": "LC-Rec's sequences and texts, without their identifiers",
        "files": "NAME.inter.json, NAME.item.json",
        "interactions": {"format": "sequences", "unit": "order", "columns": {}},
        "items": {
            "format": "objects",
            "columns": {n: n for n in ("title", "description", "categories", "brand", "price")},
        },
    },
}  # fmt: skip


def resembling(lines: Sequence[str], headers: bool = True) -> str | None:
    """What raw lines look like, and which recipe or source reads them; None if like nothing known.

    Args:
        lines: a few of the first or of the rejected ones.
        headers: whether a header is worth a word.
    """
    text = next((line.strip() for line in lines if line.strip()), "")
    fields = text.split(",")
    if text.startswith("PK\x03\x04"):
        return "an archive, as a spreadsheet is: save the sheet as CSV"
    if re.match("<(!doctype|html)", text, re.IGNORECASE):
        return "a web page: download the file again"
    if re.match(r"\{\s*'", text):
        return _reads("amazon_2014")
    if text.startswith("{"):
        if '"parent_asin"' in text:
            return _reads("amazon_2023")
        if '"asin"' in text and '"title"' in text and '"reviewerID"' not in text:
            return f"metadata of {_reads('amazon_2018')}, or source: amazon2018"
        if '"reviewerID"' in text or ('"asin"' in text and '"category"' in text):
            return f"{_reads('amazon_2018')}, or source: amazon2018"
        if re.match(r'\{"[^"]*":\s*\[', text):
            return f"{_reads('lcrec')}, or source: lcrec with identifiers"
        return None
    if re.match(r"[^\t]+:token\b", text):
        return _reads("recbole")
    if "::" in text:
        return _reads("movielens_1m")
    if re.fullmatch(r"(\d+\t){3}\d+", text):
        return _reads("movielens_100k")
    if text.lower().startswith("userid,movieid,"):
        return _reads("movielens_csv")
    if text.startswith("user_id,parent_asin,"):
        return _reads("amazon_2023_ratings")
    if len(fields) == 4 and (like := [bool(re.fullmatch(_ASIN, one)) for one in fields[:2]]):
        if like == [False, True]:
            return _reads("amazon_2014_ratings")
        if like == [True, False]:
            return f"{_reads('amazon_2018_ratings')}, or source: amazon2018"
    if headers and not re.search(r"\d", text) and len(re.split("[,;\t|]", text)) > 2:
        return "a header: source: table reads tables with one"
    return None


def _reads(recipe: str) -> str:
    return f"{RECIPES[recipe]['of']}: source: table, recipe: {recipe}"
