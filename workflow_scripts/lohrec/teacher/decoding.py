"""The teacher as a recommender: its lists for any histories (Sections 4.2 and 4.6)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel

from lohrec.data.examples import Examples
from lohrec.identifiers import user_lists
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.teacher.beams import generate_beams, items_only
from lohrec.teacher.prompts import Words, prompts_for


def best_leaves(
    model: PreTrainedModel,
    words: Words | None,
    items: np.ndarray,
    length: np.ndarray,
    ids: np.ndarray,
    tree: PrefixTree,
    decoding: Mapping[str, Any],
    constrained: bool,
    description: str,
) -> tuple[Tensor, Tensor]:
    """The teacher's best identifiers of every user.

    Args:
        model: the teacher, on the tree's device, in evaluation mode.
        words: what `prompts.load_words` returns for the teacher's folder.
        items: int (users, longest), histories, the oldest item first; -1 on the right is padding.
        length: int (users,), items of each history.
        ids: int (items, levels).
        tree: of `ids`.
        decoding: beams, top, batch_size, exclude_history and, where constrained, renormalise.
        constrained: whether the prefix tree forbids identifiers of no item. Without it they take
            beams and are left out of the lists, which so end early, or hold nothing.
        description: of the progress.

    Returns:
        leaf (users, top) int64, -1 where a list ends, and score (users, top), -inf there; both on
        the CPU.

    Raises:
        ValueError: a history is empty.
    """
    prompts = prompts_for(words, _examples(items, length), ids)
    device, beams, invalid = tree.item.device, decoding["beams"], 0

    def search(users: np.ndarray, excluded: Tensor | None) -> tuple[Tensor, Tensor]:
        nonlocal invalid
        batch = prompts.batch(users, with_answers=False).to(device)
        if constrained:
            renormalise = decoding["renormalise"]
            best = generate_beams(model, batch, beams, prompts.first, tree, excluded, renormalise)
            assert best.leaf is not None  # for there is a tree
            return best.leaf, best.score
        best = generate_beams(model, batch, beams, prompts.first)
        leaf, score = items_only(best, tree, excluded)
        invalid += int((leaf < 0).sum())
        return leaf, score

    lists = user_lists.best_leaves(search, items, length, tree, decoding, description)
    if not constrained:
        share, without = invalid / (len(items) * beams), int((lists[0][:, 0] < 0).sum())
        print(
            f"{description}: {share:.2%} of the beams are no items, or in the history; "
            f"{without:,} of {len(items):,} lists hold nothing"
        )
    return lists


def _examples(items: np.ndarray, length: np.ndarray) -> Examples:
    """The histories as examples, each with the target -1: what comes next is not known."""
    users, longest = items.shape
    sequences = np.pad(items, ((0, 0), (0, 1)), constant_values=-1).ravel()
    start = np.arange(users) * (longest + 1)
    return Examples(sequences, np.arange(users, dtype=np.int32), start, start + length)
