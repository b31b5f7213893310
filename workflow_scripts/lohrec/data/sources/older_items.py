"""Another dataset without its newest items, which a recommender then meets only after training."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from lohrec.data import interactions, times
from lohrec.data.interactions import Ingested, Interactions
from lohrec.data.item_texts import ItemText

SETTINGS: dict[str, Any] = {
    "share": {
        "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.05,
        "description": "Share of the items, the newest, that are held out.",
    },
}  # fmt: skip
TERMS = "those of the dataset that the items were held out of"
READS = ("core", "share")
FILES = {
    "interactions": {"made": "results/{category}/data/interactions.parquet"},
    "catalogue": {"made": "results/{category}/data/items.parquet"},
    "users": {"made": "results/{category}/data/users.parquet"},
}
TEXTS = ("title", "description", "categories", "brand", "price")


def read(paths: Mapping[str, Path], core: int, share: float) -> Ingested:
    """What is left of a dataset without its newest items; of that the core again.

    Users keep the order of their items; the time of an interaction is its place there.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: times only order each user's own items, or nothing is left.
    """
    table = pq.read_table(paths["interactions"])
    items, users = pq.read_table(paths["catalogue"]), pq.read_table(paths["users"])
    user, item, time = (table[name].to_numpy() for name in ("user", "item", "time"))
    if only_order(user, time):
        raise ValueError(
            f"{paths['interactions']}: times, the largest {time.max()}, only order each user's own "
            "items, so no items are the newest. Take a dataset whose times say when."
        )
    names = items["asin"].combine_chunks(), users["reviewer"].combine_chunks()
    new = newest(item, time, share)
    every = Interactions(user, item, np.arange(len(item)), names[1], names[0])
    kept, rounds = interactions.core(every.where(~np.isin(item, new)), core)
    rows = items.select(TEXTS).to_pylist()
    texts = {
        name: ItemText(**{kind: text for kind, text in row.items() if text})
        for name, row in zip(names[0].to_pylist(), rows, strict=True)
    }
    counted = {"lines": len(every), "held_out_items": len(new), "core_rounds": rounds}
    return Ingested(interactions.renumber(kept), texts, counted)


def only_order(user: np.ndarray, time: np.ndarray) -> bool:
    """Whether times do not say when: they are small, or the same for every user's first, second ...

    Args:
        user: (interactions,), from 0 on, in blocks of one user.
        time: of the same rows, rising within a user.
    """
    if time.max() < times.FIRST:
        return True
    length = np.bincount(user)
    place = np.arange(len(user)) - (np.cumsum(length) - length)[user]
    longest = time[user == length.argmax()]
    # Times of a few days have ties, and may be alike for all users and true.
    return bool((np.diff(longest) > 0).all() and (time == longest[place]).mean() > 0.5)


def newest(item: np.ndarray, time: np.ndarray, share: float) -> np.ndarray:
    """Numbers of the items that appear last for the first time, rising; of ties some are drawn.

    Args:
        item, time: (interactions,); every number up to the largest occurs.
        share: of all items, rounded up.
    """
    first = np.full(item.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, item, time)
    drawn = np.random.default_rng(0).permutation(len(first))
    order = np.lexsort((drawn, first))
    return np.sort(order[len(first) - math.ceil(round(share * len(first), 6)) :])
