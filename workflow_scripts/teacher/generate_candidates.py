"""Let the teacher write raw candidates for one shard of the train examples (C1 of Eq. 15)."""

import numpy as np
import torch

from lohrec.common import devices, job
from lohrec.identifiers.codewords import LEVELS
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.teacher.beams import generate_beams
from lohrec.teacher.inference import load_shard
from lohrec.teacher.prompts import PromptBatch


def main(
    sequences: str,
    examples: str,
    ids: str,
    model: str,
    beams: str,
    shard: int,
    settings: dict[str, dict],
    batch_size: int,
    code: dict,
    cuda: dict,
    threads: int,
) -> None:
    """Write beams.npy, int16 (the shard's examples, beams, 4).

    Args:
        sequences, examples, ids: sequences.npy, examples.parquet, semantic_ids.npy.
        model: model.safetensors of the shard's teacher.
        beams: beams.npy; -1 where there is no beam, -2 a codeword of another level, -3 a word.
        shard: number of the shard.
        settings: sections `candidates` and `sharding`.
        batch_size: about as many examples at once.
        code: hashes of the program.
        cuda: GPUs of this step.
        threads: CPU threads.
    """
    device, chosen = devices.acquire(cuda, threads), settings["candidates"]
    part = load_shard(sequences, examples, ids, model, shard, settings, code, device)
    tree = PrefixTree.from_ids(part.ids).to(device) if chosen["constrained"] else None

    def most_probable(batch: PromptBatch) -> torch.Tensor:
        given = chosen["beams"], part.prompts.first, tree
        with devices.autocast(device, chosen["bf16"]):
            return generate_beams(part.network, batch, *given).codewords

    shape = chosen["beams"], LEVELS
    part.compute(most_probable, beams, shape, np.int16, batch_size, with_answers=False)


if __name__ == "__main__":
    job.run(main, snakemake)
