"""Lists for all users of a split: beam search, and the cascade of retriever and ranker (DTR)."""

import numpy as np
import torch
from torch import Tensor

from lohrec.common.job_log import progress
from lohrec.data.examples import Examples
from lohrec.identifiers.codewords import token_table
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender import candidate_tree
from lohrec.recommender.beam_search import beam_search
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.training_data import history_tokens

SETTINGS = {
    "beams": {
        "type": "integer", "minimum": 1, "default": 20,
        "description": "Width of the beam search.",
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
        "type": "boolean", "default": False,
        "description": "Whether items of the history are left out of the list.",
    },
    "renormalise": {
        "type": "boolean", "default": False,
        "description": "Whether probabilities of Algorithm 1 add up to 1 over the legal codewords.",
    },
}  # fmt: skip


def recommend(
    model: T5,
    examples: Examples,
    ids: np.ndarray,
    tree: PrefixTree,
    decoding: dict,
    description: str,
    ranker: T5 | None = None,
) -> tuple[Tensor, Tensor]:
    """The best identifiers of every example.

    Args:
        model: finds the candidates; it decides the device together with the tree.
        ids: int (items, levels).
        decoding: beams, top, batch_size, exclude_history, renormalise; with a ranker also rerank,
            the number of candidates it orders.
        ranker: orders the candidates by its own log-probability (Eq. 13); without it their order
            is the beam search's.

    Returns:
        leaves of the tree (examples, top) and scores, on the CPU, in the order of the examples.
    """
    device = tree.item.device
    table = token_table(ids)
    top = decoding["top"]
    found = max(top, decoding["rerank"]) if ranker else top
    beams = max(decoding["beams"], found)
    leaves = torch.empty(len(examples), top, dtype=torch.long)
    scores = torch.empty(len(examples), top)
    # Users of equal history length go together, so that little is padded.
    order = np.argsort(examples.length, kind="stable")
    batches = np.split(order, range(decoding["batch_size"], len(order), decoding["batch_size"]))
    for rows in progress(batches, description, unit="batch"):
        history = history_tokens(examples, rows, table).to(device)
        excluded = None
        if decoding["exclude_history"]:
            items = torch.from_numpy(examples.histories(rows)).long().to(device)
            excluded = tree.used_up(items)
        length = examples.length[rows]
        padded = bool(length[0] < length[-1])
        leaf, score = beam_search(
            model, history, tree, beams, found, excluded, padded, decoding["renormalise"]
        )
        if ranker:
            with torch.inference_mode():
                memory = ranker.encode(history, padded)
                candidates = tree.identifiers(leaf).clamp(min=0)
                score = candidate_tree.score(ranker, memory, candidates)[0]
            score, index = score.masked_fill(leaf < 0, -torch.inf).topk(top)
            leaf = leaf.gather(1, index)
        leaves[rows], scores[rows] = leaf.cpu(), score.cpu()
    return leaves, scores
