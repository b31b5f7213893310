"""Another dataset without its newest items, which a recommender then meets only after training."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from lohrec.data import interactions
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
        ValueError: nothing is left.
    """
    table = pq.read_table(paths["interactions"])
    items, users = pq.read_table(paths["catalogue"]), pq.read_table(paths["users"])
    user, item, time = (table[name].to_numpy() for name in ("user", "item", "time"))
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
