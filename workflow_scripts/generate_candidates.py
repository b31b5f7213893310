"""Let the teacher write raw candidates for one shard of the train examples (C1 of Eq. 15)."""

from pathlib import Path

import numpy as np

from lohrec import devices, folds, joblog, questions, teacher, teacher_beams
from lohrec import examples as windows
from lohrec.checkpoints import fingerprint
from lohrec.partial_array import PartialArray
from lohrec.prefix_tree import PrefixTree


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
    device = devices.acquire(cuda, threads)
    chosen, parts = settings["candidates"], settings["sharding"]
    train, semantic = windows.load(sequences, examples, "train"), np.load(ids)
    _, own = folds.shard(train, shard, parts["folds"], parts["shards"])
    network = teacher.load(Path(model).parent, device)
    asking = questions.of(Path(model).parent, own, semantic)
    tree = PrefixTree.from_ids(semantic).to(device) if chosen["constrained"] else None
    made_of = fingerprint(
        [settings, shard, code],
        *(semantic, own.stop, np.asarray(own.sequences), np.memmap(model, np.uint8, "r")),
    )
    shape = (len(own), chosen["beams"], teacher.LEVELS)
    raw = PartialArray(beams, shape, np.int16, made_of)
    for part in raw.remaining(asking.batches(chosen["batch_size"]), "generating candidates"):
        asked = asking.ask(part, answered=False).to(device)
        with devices.autocast(device, chosen["bf16"]):
            found = teacher_beams.answers(network, asked, chosen["beams"], asking.first, tree)
        raw.values[asked.example] = found.codewords.cpu().numpy()
    print(f"{len(own):,} examples in {raw.seconds:.0f} s")
    raw.finish()


if __name__ == "__main__":
    with joblog.redirect(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.input.sequences,  # noqa: F821
            snakemake.input.examples,  # noqa: F821
            snakemake.input.ids,  # noqa: F821
            snakemake.input.model,  # noqa: F821
            snakemake.output.beams,  # noqa: F821
            int(snakemake.wildcards.shard),  # noqa: F821
            snakemake.params.settings,  # noqa: F821
            snakemake.params.code,  # noqa: F821
            snakemake.params.cuda,  # noqa: F821
            snakemake.threads,  # noqa: F821
        )
