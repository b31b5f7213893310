"""Why an item is listed: the probability of each codeword on the way to it, and who shares it."""

from collections.abc import Sequence

import torch

from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender import lessons
from lohrec.recommender.histories import numbers
from lohrec.recommender.recommender import Histories, Recommender


def tree_of(recommender: Recommender) -> PrefixTree | None:
    """The tree of the identifiers that a recommender writes codeword by codeword, if it does."""
    tree = getattr(recommender, "tree", None)
    tells = type(recommender).steps is not Recommender.steps
    return tree if tells and isinstance(tree, PrefixTree) else None


def probabilities(
    recommender: Recommender, history: Sequence[str], items: Sequence[int]
) -> list[list[float]]:
    """P(codeword | history, the codewords before it), a row an item and a level.

    They are normalised over the codewords that some item has, so that the product along an item is
    its probability among all items, those of the history too.

    Args:
        history: names; one at least is known.
        items: numbers.

    Returns:
        (items, levels); nothing where the recommender does not write identifiers.
    """
    tree = tree_of(recommender)
    if tree is None or not len(items):
        return []
    target = tree.identifiers(tree.leaf_of_item[torch.tensor(items)])
    found: list[list[float]] = []
    with torch.inference_mode():
        for along in target.split(recommender.at_once(len(items))):
            again = [list(history)] * len(along)
            read = numbers(again, recommender.catalogue, recommender.history)
            steps = recommender.steps(Histories(read.items, read.length), tree)
            every = lessons.probabilities(steps, along, tree)
            found += every.gather(-1, along.unsqueeze(-1)).squeeze(-1).tolist()
    return found


def sharing(tree: PrefixTree, item: int, codewords: int, most: int) -> list[int]:
    """Items whose identifier begins as that of `item`, by number, at most `most`, without itself.

    Args:
        codewords: how many are the same, from the first on.
    """
    ids = tree.identifiers(tree.leaf_of_item)
    same = (ids[:, :codewords] == ids[item, :codewords]).all(1)
    same[item] = False
    found: list[int] = same.nonzero().flatten()[:most].tolist()
    return found
