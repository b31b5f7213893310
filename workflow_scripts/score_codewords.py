"""Write the teacher's probabilities of every codeword at every train target (Eq. 12)."""

from pathlib import Path

import numpy as np
import torch

from lohrec import devices, joblog, teacher
from lohrec import examples as windows
from lohrec.checkpoints import fingerprint
from lohrec.partial_array import PartialArray


def main(
    sequences: str,
    examples: str,
    ids: str,
    model: str,
    probabilities: str,
    settings: dict,
    code: dict,
    cuda: dict,
    threads: int,
) -> None:
    """Write probabilities.npy, float16 (train examples, 4, codewords), teacher-forced.

    Args:
        sequences: sequences.npy.
        examples: examples.parquet.
        ids: semantic_ids.npy.
        model: model.safetensors of the teacher.
        probabilities: probabilities.npy.
        settings: section `probabilities`; `codewords` decides over what the softmax runs: the 256
            of the level, or all 1,024.
        code: hashes of the program.
        cuda: GPUs of this step.
        threads: CPU threads.
    """
    device = devices.acquire(cuda, threads)
    loaded, semantic = windows.load(sequences, examples, "train"), np.load(ids)
    network, table = teacher.load(Path(model).parent, device), teacher.token_table(semantic)
    shared = teacher.Windows.of(loaded)
    made_of = fingerprint(
        [settings, code],
        *(semantic, loaded.stop, np.asarray(loaded.sequences), np.memmap(model, np.uint8, "r")),
    )
    width = teacher.CODES if settings["codewords"] == "level" else teacher.LEVELS * teacher.CODES
    scored = PartialArray(probabilities, (len(loaded), teacher.LEVELS, width), np.float16, made_of)
    batches = shared.batches(settings["batch_size"])
    for rows in scored.remaining(batches, "scoring codewords"):
        with torch.inference_mode():
            logits, _ = teacher.target_logits(network, shared, rows, table)
            found = teacher.probabilities(logits, settings["codewords"], settings["temperature"])
        scored.values[shared.examples_of(rows)[0]] = found.half().cpu().numpy()
    print(f"{len(loaded):,} examples in {scored.seconds:.0f} s")
    scored.finish()


if __name__ == "__main__":
    with joblog.redirect(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.input.sequences,  # noqa: F821
            snakemake.input.examples,  # noqa: F821
            snakemake.input.ids,  # noqa: F821
            snakemake.input.model,  # noqa: F821
            snakemake.output.probabilities,  # noqa: F821
            snakemake.params.probabilities,  # noqa: F821
            snakemake.params.code,  # noqa: F821
            snakemake.params.cuda,  # noqa: F821
            snakemake.threads,  # noqa: F821
        )
