"""Which items the lists of all users show, and how many places show none."""

import numpy as np

from lohrec.evaluation.ranked_lists import RankedLists


def exposure(lists: RankedLists, items: int, cutoffs: list[int]) -> dict[str, float]:
    """Catalogue coverage and Gini's index of the top K of all lists, and the places left empty.

    Catalogue coverage is the share of all items that are in the top K of some list. Gini's index
    is taken over all items, those that no list shows too: with x_1 <= ... <= x_N the numbers of
    lists that have an item in their top K, it is sum_i (2 i - N - 1) x_i / (N sum_i x_i). It is 0
    where all items are shown equally often and 1 - 1 / N where all lists show one item alone; and 0
    where no list shows any.

    Where tied items straddle the place K, coverage is the expectation over the orders that each
    list has on its own, and x_i are the expected numbers. `unfilled` is the share of all users'
    first K places at which no item stands, because a list ends before.

    Args:
        lists: lists of the users.
        items: N, the size of the catalogue.
        cutoffs: the values of K, in items.

    Returns:
        {"catalogue_coverage@K", "gini@K", "unfilled@K"}.
    """
    figures = {}
    weight = 2 * np.arange(1, items + 1) - items - 1
    for k in cutoffs:
        # The chance that a row is within the top K.
        chance = np.clip((k - lists.first + 1) / lists.ties, 0, 1)
        with np.errstate(divide="ignore"):
            absent = np.exp(np.bincount(lists.item, np.log1p(-chance), items))
        shown = np.sort(np.bincount(lists.item, chance, items))
        figures[f"catalogue_coverage@{k}"] = float(1 - absent.mean())
        figures[f"gini@{k}"] = float(weight @ shown / (items * max(shown.sum(), 1e-9)))
        figures[f"unfilled@{k}"] = float(1 - np.minimum(np.diff(lists.offset), k).mean() / k)
    return figures
