"""Write the teacher's probabilities of every codeword at a shard's train targets (Eq. 12)."""

import numpy as np
import torch

from lohrec.common import devices, job
from lohrec.identifiers.codewords import CODES, LEVELS, normalised
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.teacher import model as teacher
from lohrec.teacher import shards
from lohrec.teacher.prompts import Asked


def main(
    sequences: str,
    examples: str,
    ids: str,
    model: str,
    probabilities: str,
    shard: int,
    settings: dict[str, dict],
    code: dict,
    cuda: dict,
    threads: int,
) -> None:
    """Write probabilities.npy, float16 (the shard's examples, 4, codewords), teacher-forced.

    Args:
        sequences, examples, ids: sequences.npy, examples.parquet, semantic_ids.npy.
        model: model.safetensors of the shard's teacher.
        probabilities: probabilities.npy.
        shard: number of the shard.
        settings: sections `probabilities` and `sharding`; `codewords` decides over what the
            softmax runs: the legal ones of the level, its 256, or all 1,024.
        code: hashes of the program.
        cuda: GPUs of this step.
        threads: CPU threads.
    """
    device, chosen = devices.acquire(cuda, threads), settings["probabilities"]
    part = shards.load(sequences, examples, ids, model, shard, settings, code, device)

    first, codewords = part.questions.first, chosen["codewords"]
    tree = PrefixTree.from_ids(part.ids).to(device) if codewords == "legal" else None

    def forced(asked: Asked) -> torch.Tensor:
        legal = None if tree is None else tree.legal((asked.answer - first) % CODES)
        logits = teacher.answer_logits(part.network, asked)
        given = codewords, chosen["temperature"], first, legal
        return teacher.probabilities(logits, *given).half()

    shape = LEVELS, normalised(chosen["codewords"])
    part.compute(forced, probabilities, shape, np.float16, chosen["batch_size"], answered=True)


if __name__ == "__main__":
    job.run(main, snakemake)
