"""Lists by beam search, and by the cascade of retriever and ranker (DTR, Section 3.2)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lohrec.data.examples import Examples
from lohrec.identifiers import user_lists
from lohrec.identifiers.beam_search import TreeSteps, tree_search
from lohrec.identifiers.codewords import token_table
from lohrec.identifiers.mixtures import log_probabilities, with_new
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.networks import CodewordNetwork


def best_leaves(
    model: CodewordNetwork,
    items: np.ndarray,
    length: np.ndarray,
    ids: np.ndarray,
    tree: PrefixTree,
    decoding: Mapping[str, Any],
    description: str,
    ranker: CodewordNetwork | None = None,
) -> tuple[Tensor, Tensor]:
    """The best identifiers of every user.

    Args:
        model: finds the candidates; on the tree's device, in evaluation mode.
        items: int (users, longest), histories, the oldest item first; -1 on the right is padding.
        length: int (users,), items of each history.
        ids: int (items, levels).
        tree: of `ids`.
        decoding: beams, top, batch_size, exclude_history, renormalise; with a ranker also rerank,
            the number of candidates it orders.
        description: of the progress.
        ranker: orders the candidates by its own log-probability (Eq. 13); without it their order
            is the beam search's.

    Returns:
        leaf (users, top) int64, -1 where a list ends, and score (users, top), -inf there; both on
        the CPU.

    Raises:
        ValueError: a history is empty.
    """
    device, table, top = tree.item.device, token_table(ids), decoding["top"]
    candidates = top if ranker is None else max(top, decoding["rerank"])
    beams = max(decoding["beams"], candidates)
    renormalise = decoding["renormalise"] or model.legal

    def steps(of: CodewordNetwork, history: Tensor, padded: bool, normal: bool) -> TreeSteps:
        return with_new(of.tree_steps(history, tree, normal, padded), tree)

    def search(users: np.ndarray, excluded: Tensor | None) -> tuple[Tensor, Tensor]:
        longest = length[users].max()
        padded = bool(length[users].min() < longest)
        history = table[items[users, :longest]].reshape(len(users), -1)
        history = torch.from_numpy(history).to(device)
        best = tree_search(steps(model, history, padded, renormalise), tree, beams, excluded)
        leaf, score = best.leaf[:, :candidates], best.score[:, :candidates]
        if ranker is None:
            return leaf, score
        with torch.inference_mode():
            ordered = steps(ranker, history, padded, ranker.legal)
            score = log_probabilities(ordered, leaf.clamp(min=0), tree)
        score, order = score.masked_fill(leaf < 0, -torch.inf).topk(top)
        return leaf.gather(1, order), score

    return user_lists.best_leaves(search, items, length, tree, decoding, description)


SETTINGS = {
    "beams": {
        "type": "integer", "minimum": 1, "default": 20,
        "description": (
            "Width of the beam search. For users with more items than are read it is wider by as "
            "many, to a power of two, since those that are not read are left out after it."
        ),
    },
    "top": {"type": "integer", "minimum": 1, "default": 20, "description": "Items of a list."},
    "rerank": {
        "type": "integer", "minimum": 1, "default": 50,
        "description": "Candidates that a cascade's retriever hands to its ranker.",
    },
    "batch_size": {
        "type": "integer", "minimum": 1, "default": 256,
        "description": "Users at once.",
    },
    "exclude_history": {
        "enum": [True, False, "auto"], "default": "auto",
        "description": (
            "Whether items of the history are left out of the list, on the dev set too "
            "(while training, only of the last ingest.history items, which are read); auto: of "
            "data where no user has an item twice."
        ),
    },
    "renormalise": {
        "type": "boolean", "default": False,
        "description": (
            "Whether probabilities of Algorithm 1 add up to 1 over the legal codewords; of a "
            "network with `codewords: legal` they always do."
        ),
    },
}  # fmt: skip


def recommend(
    model: CodewordNetwork,
    examples: Examples,
    ids: np.ndarray,
    tree: PrefixTree,
    decoding: Mapping[str, Any],
    description: str,
    ranker: CodewordNetwork | None = None,
) -> tuple[Tensor, Tensor]:
    """The best identifiers of every example, see `best_leaves`."""
    items = examples.histories(np.arange(len(examples)))
    return best_leaves(model, items, examples.length, ids, tree, decoding, description, ranker)


def searched(
    decoding: Mapping[str, Any], top: int, exclude_history: bool, rerank: int = 0
) -> dict[str, Any]:
    """Settings of a search for `top` identifiers, with as many beams as that takes.

    With more beams there are fewer users at once, so that memory stays what it is.

    Args:
        rerank: candidates that are searched for a ranker.
    """
    beams = max(decoding["beams"], top, rerank)
    size = max(1, decoding["batch_size"] * decoding["beams"] // beams)
    given = {"top": top, "beams": beams, "batch_size": size, "exclude_history": exclude_history}
    return {**decoding, **given}
