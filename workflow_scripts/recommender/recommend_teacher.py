"""Recommend with the teacher itself, for dev and test users."""

from pathlib import Path

import numpy as np
import torch

from lohrec.common import devices, job, job_log
from lohrec.data import examples as windows
from lohrec.evaluation import recommendations as lists
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.teacher import beams as teacher_beams
from lohrec.teacher import model as teacher
from lohrec.teacher import prompts as questions


def main(
    sequences: str,
    examples: str,
    ids: str,
    model: str,
    recommendations: str,
    decoding: dict,
    settings: dict,
    cuda: dict,
    threads: int,
) -> None:
    """Write recommendations.parquet; items that share an identifier share its rank.

    Args:
        sequences: sequences.npy.
        examples: examples.parquet.
        ids: semantic_ids.npy.
        model: model.safetensors of the teacher.
        recommendations: recommendations.parquet.
        decoding: settings `beams`, `top`, `batch_size`, `exclude_history`, `renormalise`.
        settings: `constrained`, whether the prefix tree forbids identifiers of no item. Without it
            they take beams and are left out of the lists, which so end early.
        cuda: GPUs of this step.
        threads: CPU threads.
    """
    device, constrained = devices.acquire(cuda, threads), settings["constrained"]
    semantic = np.load(ids)
    network = teacher.load(Path(model).parent, device)
    tree = PrefixTree.from_ids(semantic).to(device)
    top, tables = decoding["top"], []
    for split in ("dev", "test"):
        loaded = windows.load(sequences, examples, split)
        asking = questions.of(Path(model).parent, loaded, semantic)
        leaf = torch.full((len(loaded), top), -1)
        score = torch.full((len(loaded), top), -torch.inf)
        batches = asking.batches(decoding["batch_size"])
        histories = loaded.histories(np.arange(len(loaded)))
        without = histories.copy() if decoding["exclude_history"] else None
        invalid = 0
        for part in job_log.progress(batches, f"recommending ({split})", unit="batch"):
            asked = asking.ask(part, answered=False).to(device)
            history = torch.from_numpy(histories[asked.example]).long().to(device)
            excluded = tree.used_up(history) if decoding["exclude_history"] else None
            width = decoding["beams"], asking.first
            if constrained:
                found = teacher_beams.answers(
                    network, asked, *width, tree, excluded, decoding["renormalise"]
                )
                leaves, scores = found.leaf, found.score
            else:
                found = teacher_beams.answers(network, asked, *width)
                leaves, scores = teacher_beams.items_only(found, tree, excluded)
                invalid += int((leaves < 0).sum())
                # Every user needs a list; an item of the history is never a target.
                none = leaves[:, 0] < 0
                last = torch.from_numpy(loaded.length[asked.example] - 1).to(device)
                leaves[none, 0] = tree.leaf_of_item[history.gather(1, last[:, None])[none, 0]]
                if without is not None:
                    without[asked.example[none.cpu().numpy()]] = -1
            width = min(top, leaves.shape[1])
            leaf[asked.example, :width] = leaves[:, :width].cpu()
            score[asked.example, :width] = scores[:, :width].cpu()
        if not constrained:
            share = invalid / (len(loaded) * decoding["beams"])
            print(f"{split}: {share:.2%} of the beams are no items, or in the history")
        tables.append(lists.from_leaves(split, loaded.user, leaf, score, tree, without))
    lists.write(recommendations, tables)


if __name__ == "__main__":
    job.run(main, snakemake)
