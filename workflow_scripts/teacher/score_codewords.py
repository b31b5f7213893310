"""Write the teacher's probabilities of every codeword at a shard's train targets (Eq. 12)."""

import numpy as np
import torch

from lohrec.common import devices, job
from lohrec.common.partial_array import PartialArray
from lohrec.identifiers.codewords import LEVELS, normalised
from lohrec.teacher import model as teacher
from lohrec.teacher import shards as teacher_shard


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
        sequences: sequences.npy.
        examples: examples.parquet.
        ids: semantic_ids.npy.
        model: model.safetensors of the shard's teacher.
        probabilities: probabilities.npy.
        shard: number of the shard.
        settings: sections `probabilities` and `sharding`; `codewords` decides over what the
            softmax runs: the 256 of the level, or all 1,024.
        code: hashes of the program.
        cuda: GPUs of this step.
        threads: CPU threads.
    """
    device, chosen = devices.acquire(cuda, threads), settings["probabilities"]
    own = teacher_shard.load(sequences, examples, ids, model, shard, settings, code, device)
    shape, asking = (len(own.examples), LEVELS, normalised(chosen["codewords"])), own.questions
    scored = PartialArray(probabilities, shape, np.float16, own.made_of)
    over = chosen["codewords"], chosen["temperature"], asking.first
    for part in scored.remaining(asking.batches(chosen["batch_size"]), "scoring codewords"):
        asked = asking.ask(part, answered=True).to(device)
        with torch.inference_mode():
            found = teacher.probabilities(teacher.answer_logits(own.network, asked), *over)
        scored.values[asked.example] = found.half().cpu().numpy()
    print(f"{len(own.examples):,} examples in {scored.seconds:.0f} s")
    scored.finish()


if __name__ == "__main__":
    job.run(main, snakemake)
