"""The same few interactions and items in the layouts that people have."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lohrec.data.interactions import Ingested
from lohrec.data.sources import table

START = 1_500_000_000  # seconds
USERS, ITEMS, LENGTH = 8, 6, 4

# (user, item, rating, seconds): user u has four of six items, one a day.
ROWS = [
    (user, (user + step) % ITEMS, 5 - step, START + 86_400 * step)
    for user in range(USERS)
    for step in range(LENGTH)
]


NAMES = ("user", "item", "rating", "time")
NAMED = [(f"u{u}", f"i{i}", r, t) for u, i, r, t in ROWS]

DEFAULT = {name: one["default"] for name, one in table.SETTINGS.items()}
DEFAULT = {name: DEFAULT.get(name) for name in table.READS}
DEFAULT |= {"core": 3, "tie_seed": 0, "most_rejected": 0.01}


def read(paths: dict[str, Any], **settings: Any) -> Ingested:
    """What the source `table` makes of files; settings have their defaults, and the core is 3."""
    return table.read(paths, **(DEFAULT | settings))


class Made(NamedTuple):
    """Files of one layout.

    Attributes:
        interactions, items: paths.
        user, item: the names that user 1 and item 2 have there.
    """

    interactions: Path
    items: Path
    user: str
    item: str


def text(
    path: Path, lines: Sequence[Sequence[Any]], separator: str, encoding: str = "utf-8"
) -> Path:
    """Write lines of fields, packed if the name ends in .gz."""
    content = "".join(separator.join(map(str, line)) + "\n" for line in lines).encode(encoding)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def objects(path: Path, records: Sequence[dict[str, Any]], write: Callable = json.dumps) -> Path:
    """Write objects, one a line."""
    return text(path, [[write(record)] for record in records], "")


def csv(path: Path, rows: Any = NAMED, names: Any = NAMES, separator: str = ",") -> Path:
    """A table with a header, if there are names."""
    return text(path, [*([names] if names else []), *rows], separator)


def rows_of(found: Ingested) -> list[tuple[str, str, int]]:
    """(user, item, time) rows."""
    kept = found.interactions
    users, items = kept.users.to_pylist(), kept.items.to_pylist()
    rows = zip(kept.user, kept.item, kept.time.tolist(), strict=True)
    return [(users[u], items[i], t) for u, i, t in rows]


def asin(item: int) -> str:
    return f"B00000000{item}"


def reviewer(user: int) -> str:
    return f"A00000000000{user}"


def title(item: int) -> str:
    return f"Café {item}"


def movielens_100k(folder: Path) -> Made:
    rows = [(u + 1, i + 1, r, t) for u, i, r, t in ROWS]
    flags = [0] * 19
    items = [(i + 1, title(i), "01-Jan-1995", "", "http://x", *flags) for i in range(ITEMS)]
    return Made(
        text(folder / "u.data", rows, "\t"),
        text(folder / "u.item", items, "|", "latin-1"),
        "2",
        "3",
    )


def movielens_1m(folder: Path) -> Made:
    rows = [(u + 1, i + 1, r, t) for u, i, r, t in ROWS]
    items = [(i + 1, title(i), "Comedy|Drama") for i in range(ITEMS)]
    return Made(
        text(folder / "ratings.dat", rows, "::"),
        text(folder / "movies.dat", items, "::", "latin-1"),
        "2",
        "3",
    )


def movielens_csv(folder: Path) -> Made:
    rows = [("userId", "movieId", "rating", "timestamp"), *((u, i, r, t) for u, i, r, t in ROWS)]
    items = [(i, f'"{title(i)}, The"', "Comedy|Drama") for i in range(ITEMS)]
    return Made(
        text(folder / "ratings.csv", rows, ","),
        text(folder / "movies.csv", [("movieId", "title", "genres"), *items], ","),
        "1",
        "2",
    )


def reviews() -> list[dict[str, Any]]:
    return [
        {"reviewerID": reviewer(u), "asin": asin(i), "overall": float(r), "reviewText": "it's",
         "unixReviewTime": t, "reviewTime": "07 14, 2017"}
        for u, i, r, t in ROWS
    ]  # fmt: skip


def amazon_2014(folder: Path) -> Made:
    items = [
        {"asin": asin(i), "title": title(i), "categories": [["Games", "Cards"]], "price": 9.5,
         "description": "it's \"new\"", "brand": "B"}
        for i in range(ITEMS)
    ]  # fmt: skip
    return Made(
        objects(folder / "reviews_X_5.json.gz", reviews(), repr),
        objects(folder / "meta_X.json.gz", items, repr),
        reviewer(1),
        asin(2),
    )


def amazon_2014_ratings(folder: Path) -> Made:
    made = amazon_2014(folder)
    rows = [(reviewer(u), asin(i), float(r), t) for u, i, r, t in ROWS]
    return made._replace(interactions=text(folder / "ratings_X.csv", rows, ","))


def amazon_2018(folder: Path) -> Made:
    items = [
        {"asin": asin(i), "title": title(i), "category": ["Games"], "description": ["a", "b"]}
        for i in range(ITEMS)
    ]
    return Made(
        objects(folder / "X_5.json.gz", reviews()),
        objects(folder / "meta_X.json.gz", items),
        reviewer(1),
        asin(2),
    )


def amazon_2018_ratings(folder: Path) -> Made:
    made = amazon_2018(folder)
    rows = [(asin(i), reviewer(u), float(r), t) for u, i, r, t in ROWS]
    return made._replace(interactions=text(folder / "X.csv", rows, ","))


def amazon_2023(folder: Path) -> Made:
    lines = [
        {"rating": float(r), "title": "t", "asin": f"V{asin(i)[1:]}", "parent_asin": asin(i),
         "user_id": reviewer(u), "timestamp": t * 1000 + 7}
        for u, i, r, t in ROWS
    ]  # fmt: skip
    items = [
        {"title": title(i) if i else None, "description": ["one", "two"], "price": "$3",
         "categories": ["Games"], "store": "S", "parent_asin": asin(i)}
        for i in range(ITEMS)
    ]  # fmt: skip
    return Made(
        objects(folder / "X.jsonl.gz", lines),
        objects(folder / "meta_X.jsonl.gz", items),
        reviewer(1),
        asin(2),
    )


def amazon_2023_ratings(folder: Path) -> Made:
    made = amazon_2023(folder)
    names = ("user_id", "parent_asin", "rating", "timestamp")
    rows = [(reviewer(u), asin(i), float(r), t * 1000) for u, i, r, t in ROWS]
    return made._replace(interactions=text(folder / "X.csv.gz", [names, *rows], ","))


def recbole(folder: Path) -> Made:
    names = ("user_id:token", "item_id:token", "rating:float", "timestamp:float")
    rows = [(f"u{u}", f"i{i}", float(r), float(t)) for u, i, r, t in ROWS]
    heads = ("item_id:token", "movie_title:token_seq", "class:token_seq")
    items = [(f"i{i}", f'{title(i)} 5" cable', "Comedy Drama") for i in range(ITEMS)]
    return Made(
        text(folder / "x.inter", [names, *rows], "\t"),
        text(folder / "x.item", [heads, *items], "\t"),
        "u1",
        "i2",
    )


def lcrec(folder: Path) -> Made:
    lists: dict[str, list[str]] = {}
    for user, item, _, _ in ROWS:
        lists.setdefault(f"A{user}", []).append(f"i{item}")
    texts = {
        f"i{i}": {"title": title(i), "description": "d", "brand": "B", "categories": "Games"}
        for i in range(ITEMS)
    }
    paths = folder / "x.inter.json", folder / "x.item.json"
    for path, value in zip(paths, (lists, texts), strict=True):
        path.write_text(json.dumps(value))
    return Made(*paths, "A1", "i2")


MAKE = {
    make.__name__: make
    for make in (
        movielens_100k, movielens_1m, movielens_csv, amazon_2014, amazon_2014_ratings, amazon_2018,
        amazon_2018_ratings, amazon_2023, amazon_2023_ratings, recbole, lcrec,
    )
}  # fmt: skip
