"""Networks over items that read the items' attributes.

These are brand and categories where the data tell them, else the codewords of the semantic IDs.
"""

from collections import Counter
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor

from lohrec.identifiers import store
from lohrec.identifiers.codewords import token_table
from lohrec.recommender.inputs import Inputs
from lohrec.recommender.item_networks import CausalNetwork, ItemNetwork
from lohrec.recommender.item_recommender import ItemRecommender

COLUMNS = ["brand", "categories"]
# An attribute of a single item tells no more than the item does, and one of most items next to
# nothing.
FEWEST, MOST = 2, 0.5  # items, and share of the items
# Attributes of an item: the table is as wide as the one with the most, which may be a mistake.
LONGEST = 32
ENOUGH = 0.5  # share of the items that must have such an attribute for the data's to be read


class AttributeNetwork(CausalNetwork):
    """See `ItemNetwork` for the other arguments.

    Args:
        attributes: int64 (items + 1, most attributes of an item), the numbers of each item's and
            then padding, one more than the greatest of them; the last row is all padding.
    """

    attributes: Tensor

    def __init__(
        self, items: int, history: int, settings: Mapping[str, Any], attributes: Tensor
    ) -> None:
        super().__init__(items, history, settings)
        self.register_buffer("attributes", attributes)
        self.padding = int(attributes[-1, 0])

    def has(self, items: Tensor) -> Tensor:
        """Which attributes items (n,) have, float32 (n, attributes)."""
        found = torch.zeros(len(items), self.padding + 1, device=items.device)
        return found.scatter_(1, self.attributes[items], 1.0)[:, : self.padding]


class AttributeRecommender(ItemRecommender):
    """A recommender whose network is an `AttributeNetwork`."""

    network_class: ClassVar[type[AttributeNetwork]]

    @classmethod
    def built(cls, inputs: Inputs, settings: Mapping[str, Any]) -> ItemNetwork:
        """A new network that knows the items' attributes."""
        told, what = of_data(inputs.artefacts["catalogue"]), "brand and categories"
        if told is None:
            told, what = token_table(store.load_ids(inputs.artefacts["ids"])), "codewords"
        print(f"attributes of the items: {what}")
        size, table = len(inputs.catalogue), torch.from_numpy(told)
        return cls.network_class(size, inputs.history, settings, table).to(inputs.device)

    @classmethod
    def rebuilt(cls, saved: Mapping[str, Any], weights: Mapping[str, Tensor]) -> ItemNetwork:
        """A network for saved weights, the attributes among them."""
        shape = saved["items"], saved["history"], saved["settings"]
        return cls.network_class(*shape, weights["attributes"])


def of_data(items: str | Path) -> np.ndarray | None:
    """Brand and categories of items, as `AttributeNetwork` takes them; None where few have any.

    An item without one has "none", as all such items; of one with more than `LONGEST` those of the
    most items are kept, and of ties the first by name.

    Args:
        items: items.parquet.
    """
    table = pq.read_table(items, columns=COLUMNS)
    every = [
        [*([f"brand {brand}"] if brand else []), *sorted({f"category {c}" for c in categories})]
        for brand, categories in zip(*(table[n].to_pylist() for n in COLUMNS), strict=True)
    ]
    count, most = Counter(chain.from_iterable(every)), MOST * len(every)
    every = [[name for name in found if FEWEST <= count[name] <= most] for found in every]
    if sum(map(bool, every)) < ENOUGH * len(every):
        return None
    dropped = [len(found) - LONGEST for found in every if len(found) > LONGEST]
    if dropped:
        print(f"attributes beyond {LONGEST} left out: {sum(dropped):,}, of {len(dropped):,} items")
    every = [
        found if len(found) <= LONGEST else sorted(found, key=lambda n: (-count[n], n))[:LONGEST]
        for found in every
    ]
    every = [found or ["none"] for found in every]
    number = {name: place for place, name in enumerate(sorted(set(chain.from_iterable(every))))}
    told = np.full((len(every) + 1, max(map(len, every))), len(number), dtype=np.int64)
    for row, found in zip(told, every, strict=False):
        row[: len(found)] = [number[name] for name in found]
    return told
