"""The beam search beside transformers' `generate`: the same lists, and the ratio of times."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lohrec.benchmarks.transformers_t5 import Generate
from lohrec.common import job_log
from lohrec.data.examples import Examples
from lohrec.identifiers.beam_search import tree_search
from lohrec.identifiers.codewords import PAD, token_table, tokens
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.networks import CodewordNetwork
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.training_data import history_tokens


def compare(
    folder: Path, ids: np.ndarray, test: Examples, users: int, beams: int
) -> dict[str, Any]:
    """Decode some users both ways, in turns, on the CPU.

    Where beams are equal up to rounding, either search may keep the other one; our search in
    float64 then tells which list is exact.

    Args:
        folder: of the trained model.
        ids: int64 (items, levels).
        test: the test split, of which `users` are drawn.
        users: at most as many.
        beams: width of both searches.

    Returns:
        users, beams, identical_lists, identical_top_10, of_others_unlike_float64 (lists of each
        search that differ from the exact ones), seconds of each, their ratio, threads.
    """
    tree, table = PrefixTree.from_ids(ids), token_table(ids)
    ours, generate = T5.load(folder), Generate(folder, ids)
    exact = T5.load(folder).double()
    sample = np.random.default_rng(0).choice(len(test), min(users, len(test)), replace=False)
    lengths = test.length[sample]
    seconds, same, same_top = {"ours": 0.0, "generate": 0.0}, 0, 0
    rounded = {"ours": 0, "generate": 0}
    for length in job_log.progress(np.unique(lengths), "histories of equal length"):
        history = history_tokens(test, sample[lengths == length], table)
        began = time.perf_counter()
        leaf = leaves(ours, history, tree, beams)
        between = time.perf_counter()
        theirs = generate(history, beams)
        seconds["ours"] += between - began
        seconds["generate"] += time.perf_counter() - between
        listed = tokens(tree.identifiers(leaf))
        equal = (listed == theirs).all(-1)
        same += int(equal.all(1).sum())
        same_top += int(equal[:, :10].all(1).sum())
        differ = ~equal.all(1)
        if differ.any():
            true = tokens(tree.identifiers(leaves(exact, history[differ], tree, beams)))
            for name, lists in (("ours", listed), ("generate", theirs)):
                rounded[name] += int((lists[differ] != true).flatten(1).any(1).sum())
    return {
        "users": len(sample),
        "beams": beams,
        "identical_lists": same,
        "identical_top_10": same_top,
        "of_others_unlike_float64": rounded,
        "seconds": seconds,
        "ratio": seconds["generate"] / seconds["ours"],
        "threads": torch.get_num_threads(),
    }


def leaves(model: CodewordNetwork, history: Tensor, tree: PrefixTree, beams: int) -> Tensor:
    """Leaves of histories, (users, beams)."""
    padded = bool((history == PAD).any())
    return tree_search(model.tree_steps(history, tree, model.legal, padded), tree, beams).leaf
