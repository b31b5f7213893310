"""The prefix tree at growing numbers of items, and teacher targets read from disk."""

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lohrec.benchmarks import clock
from lohrec.identifiers.beam_search import beam_search
from lohrec.identifiers.codewords import CODES, LEVELS, tokens
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.networks.t5 import T5

MANY = 1_000_000  # examples of the teacher's targets


def measure(path: str, network: dict[str, Any], settings: dict[str, Any]) -> None:
    """Random identifiers: the tree with the most nodes that so many items can have."""
    torch.manual_seed(0)
    rng, model = np.random.default_rng(0), T5(network).eval()
    rows, trees = [], {}
    for items in settings["items"]:
        ids = rng.integers(0, CODES, (items, LEVELS), dtype=np.int16)
        began = time.perf_counter()
        trees[items] = PrefixTree.from_ids(ids)
        seconds = time.perf_counter() - began
        rows.append(clock.row(f"building the tree of {items:,} items", "int", seconds))
        size = held(trees[items]) / items
        rows.append(clock.row(f"tree of {items:,} items", "int", size, unit="B an item"))
    history = tokens(torch.randint(0, CODES, (settings["users"], 7, LEVELS))).flatten(1)

    def search(tree: PrefixTree) -> object:
        return beam_search(model.steps(history, padded=False), tree, 20)

    rivals = {items: partial(search, tree) for items, tree in trees.items()}
    seconds_at = clock.in_turns(rivals, settings["rounds"])
    smallest = seconds_at[settings["items"][0]]
    for items, seconds in seconds_at.items():
        cost, rival = (1000 * s / len(history) for s in (seconds, smallest))
        rows.append(clock.row(f"beam 20 over {items:,} items", "fp32", cost, rival))
        rows[-1]["unit"] = "ms a user"
    rows += disk_rows(rng)
    clock.write(path, rows)


def held(tree: PrefixTree) -> int:
    """Bytes of all arrays of a tree."""
    arrays = [*tree.first, *tree.code, *(tree.table or []), tree.item_first, tree.item]
    return sum(array.nbytes for array in arrays)


def disk_rows(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Time a batch of targets and the memory that 100 batches leave behind.

    The file has holes for values: what is measured is the way through the memory map, not the disk.
    """
    with tempfile.TemporaryDirectory() as folder:
        path, shape = Path(folder) / "probabilities.npy", (MANY, LEVELS, CODES)
        np.lib.format.open_memmap(path, "w+", np.float16, shape)
        targets = np.load(path, mmap_mode="r")
        before, began = clock.own_memory(), time.perf_counter()
        for _ in range(100):
            batch = torch.from_numpy(np.asarray(targets[np.sort(rng.integers(0, MANY, 256))]))
        seconds, after = (time.perf_counter() - began) / 100, clock.own_memory()
        del batch
    what = f"targets of a batch of 256 of {MANY:,}"
    return [
        clock.row(what, "fp16", 1000 * seconds, unit="ms"),
        clock.row(f"{what}, memory kept", "fp16", (after - before) / 1e6, unit="MB"),
    ]
