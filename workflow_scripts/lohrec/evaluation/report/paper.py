"""The figures that the paper prints, and those among them that cannot be right."""

import math
from collections.abc import Container, Sequence
from typing import Any

from lohrec.configuration.rows import ENDINGS

DIGITS = 1e-4  # a printed figure is off by at most half of this


def of_category(sets: dict[str, Any], category: str | None) -> dict[str, Any] | None:
    """The paper's set that a dataset's raw files are of, or None.

    Args:
        sets: what config/paper.yaml holds.
        category: of the dataset's row.
    """
    found = (one for one in sets.values() if category in one["categories"])
    return next(found, None)


def our_row(method: str, names: Container[str]) -> str | None:
    """The row among `names` that is a method of the paper, with T5 or else the compact network."""
    return next((method + ending for ending in ENDINGS if method + ending in names), None)


def contradicts_itself(cells: Sequence[float]) -> bool:
    """Whether Recall@5, Recall@10, NDCG@5, NDCG@10 of one row cannot all be right.

    With one target a user, what is found at the places 6 to 10 adds between 1 / log2(11) and
    1 / log2(7) to NDCG: dR / log2(11) <= N@10 - N@5 <= dR / log2(7), with dR = R@10 - R@5. A
    difference of two printed figures is off by one digit of the last place at most.
    """
    recall, ndcg = cells[1] - cells[0], cells[3] - cells[2]
    least, most = (recall - DIGITS) / math.log2(11), (recall + DIGITS) / math.log2(7)
    return not least - DIGITS <= ndcg <= most + DIGITS
