"""Let the teacher write raw candidates for one shard of the train examples (C1 of Eq. 15)."""

import numpy as np

from lohrec.common import devices, job
from lohrec.common.partial_array import PartialArray
from lohrec.identifiers.codewords import LEVELS
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.teacher import beams as teacher_beams
from lohrec.teacher import shards as teacher_shard


def main(
    sequences: str,
    examples: str,
    ids: str,
    model: str,
    beams: str,
    shard: int,
    settings: dict[str, dict],
    code: dict,
    cuda: dict,
    threads: int,
) -> None:
    """Write beams.npy, int16 (the shard's examples, beams, 4).

    Args:
        sequences: sequences.npy.
        examples: examples.parquet.
        ids: semantic_ids.npy.
        model: model.safetensors of the shard's teacher.
        beams: beams.npy; -1 stands for a codeword of another level, -2 for a word.
        shard: number of the shard.
        settings: sections `candidates` and `sharding`.
        code: hashes of the program.
        cuda: GPUs of this step.
        threads: CPU threads.
    """
    device, chosen = devices.acquire(cuda, threads), settings["candidates"]
    own = teacher_shard.load(sequences, examples, ids, model, shard, settings, code, device)
    tree = PrefixTree.from_ids(own.ids).to(device) if chosen["constrained"] else None
    shape, width = (len(own.examples), chosen["beams"], LEVELS), chosen["beams"]
    raw, asking = PartialArray(beams, shape, np.int16, own.made_of), own.questions
    for part in raw.remaining(asking.batches(chosen["batch_size"]), "generating candidates"):
        asked = asking.ask(part, answered=False).to(device)
        with devices.autocast(device, chosen["bf16"]):
            found = teacher_beams.answers(own.network, asked, width, asking.first, tree)
        raw.values[asked.example] = found.codewords.cpu().numpy()
    print(f"{len(own.examples):,} examples in {raw.seconds:.0f} s")
    raw.finish()


if __name__ == "__main__":
    job.run(main, snakemake)
