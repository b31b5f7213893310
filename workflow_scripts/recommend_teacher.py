"""Recommend with the teacher itself: constrained beam search for dev and test users."""

from pathlib import Path

import numpy as np
import torch

from lohrec import devices, joblog, recommendations, teacher, teacher_beams
from lohrec import examples as windows
from lohrec.prefix_tree import PrefixTree


def main(
    sequences: str,
    examples: str,
    ids: str,
    model: str,
    output: str,
    decoding: dict,
    cuda: dict,
    threads: int,
) -> None:
    """Write recommendations.parquet; items that share an identifier share its rank.

    Args:
        sequences: sequences.npy.
        examples: examples.parquet.
        ids: semantic_ids.npy.
        model: model.safetensors of the teacher.
        output: recommendations.parquet.
        decoding: settings `beams`, `top`, `batch_size`, `exclude_history`.
        cuda: GPUs of this step.
        threads: CPU threads.
    """
    device = devices.acquire(cuda, threads)
    semantic = np.load(ids)
    network, table = teacher.load(Path(model).parent, device), teacher.token_table(semantic)
    tree = PrefixTree.from_ids(semantic).to(device)
    leaf_of_item = np.append(tree.leaf_of_item().cpu().numpy(), -1)  # item -1 is padding
    top, tables = decoding["top"], []
    for split in ("dev", "test"):
        loaded = windows.load(sequences, examples, split)
        order = np.argsort(loaded.length, kind="stable")
        batches = np.split(order, range(decoding["batch_size"], len(order), decoding["batch_size"]))
        leaf = torch.empty(len(loaded), top, dtype=torch.long)
        score = torch.empty(len(loaded), top)
        for rows in joblog.progress(batches, f"recommending ({split})", unit="batch"):
            history = loaded.histories(rows)
            excluded = torch.from_numpy(leaf_of_item[history]).to(device)
            found = teacher_beams.next_items(
                network,
                teacher.prompts(history, table).to(device),
                torch.from_numpy(1 + teacher.LEVELS * loaded.length[rows]).to(device),
                decoding["beams"],
                tree,
                excluded if decoding["exclude_history"] else None,
            )
            leaf[rows], score[rows] = (part[:, :top].cpu() for part in found)
        tables.append(recommendations.from_leaves(split, loaded.user, leaf, score, tree))
    recommendations.write(output, tables)


if __name__ == "__main__":
    with joblog.redirect(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.input.sequences,  # noqa: F821
            snakemake.input.examples,  # noqa: F821
            snakemake.input.ids,  # noqa: F821
            snakemake.input.model,  # noqa: F821
            snakemake.output.recommendations,  # noqa: F821
            snakemake.params.decoding,  # noqa: F821
            snakemake.params.cuda,  # noqa: F821
            snakemake.threads,  # noqa: F821
        )
