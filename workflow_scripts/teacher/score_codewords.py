"""Write the teacher's probabilities of every codeword at a shard's train targets (Eq. 12)."""

import numpy as np
import torch

from lohrec.common import devices, job
from lohrec.identifiers.codewords import CODES, LEVELS, normalised
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.teacher.inference import load_shard
from lohrec.teacher.probabilities import answer_logits, codeword_probabilities
from lohrec.teacher.prompts import PromptBatch


def main(
    sequences: str,
    examples: str,
    ids: str,
    model: str,
    probabilities: str,
    shard: int,
    settings: dict[str, dict],
    batch_size: int,
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
        batch_size: about as many examples at once.
        code: hashes of the program.
        cuda: GPUs of this step.
        threads: CPU threads.
    """
    device, chosen = devices.acquire(cuda, threads), settings["probabilities"]
    part = load_shard(sequences, examples, ids, model, shard, settings, code, device)

    first, codewords = part.prompts.first, chosen["codewords"]
    tree = PrefixTree.from_ids(part.ids).to(device) if codewords == "legal" else None

    def teacher_forced(batch: PromptBatch) -> torch.Tensor:
        legal = None if tree is None else tree.legal((batch.answer - first) % CODES)
        logits = answer_logits(part.network, batch)
        return codeword_probabilities(logits, codewords, first, legal).half()

    shape = LEVELS, normalised(chosen["codewords"])
    part.compute(teacher_forced, probabilities, shape, np.float16, batch_size, with_answers=True)


if __name__ == "__main__":
    job.run(main, snakemake)
