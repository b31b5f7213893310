"""Items that a recommender takes for alike: the nearest by the cosine of its item vectors."""

from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lohrec.data.catalogue import Catalogue
from lohrec.recommender.places import home
from lohrec.recommender.recommender import ITEMS, item_vectors


class Near(NamedTuple):
    """An item and how near it is, a cosine."""

    item: str
    title: str
    cosine: float


def nearest(folder: str | Path, item: str, top: int) -> list[Near]:
    """The `top` items nearest to `item`, a name; of equally near ones the first in the catalogue.

    Raises:
        ValueError: the recommender embeds no items or does not know this one, or `top` is below 1.
    """
    if top < 1:
        raise ValueError(f"top is {top}; a list has at least one item.")
    catalogue = Catalogue.load(home(folder) / ITEMS)
    number = known(catalogue, item)
    vectors = item_vectors(folder).astype(np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cosine = vectors @ vectors[number]
    order = np.argsort(-cosine, kind="stable")
    return [
        Near(catalogue.names[other], catalogue.titles[other], float(cosine[other]))
        for other in order[order != number][:top].tolist()
    ]


def known(catalogue: Catalogue, item: str) -> int:
    """The number of an item by its name.

    Raises:
        ValueError: there is none; the message has the names most like it.
    """
    if item not in catalogue.number:
        like = get_close_matches(item, catalogue.names, n=3) or catalogue.names[:3]
        raise ValueError(f"There is no item {item!r}; there are {', '.join(like)}.")
    return catalogue.number[item]
