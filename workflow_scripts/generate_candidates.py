"""Let the teacher write raw candidates for every train example (C1 of Eq. 15)."""

from pathlib import Path

import numpy as np

from lohrec import artefacts, devices, joblog, priors, teacher, teacher_beams
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
    report: str,
    settings: dict,
    code: dict,
    cuda: dict,
    threads: int,
) -> None:
    """Write beams.npy, int16 (train examples, beams, 4), and a report on them.

    Args:
        sequences: sequences.npy.
        examples: examples.parquet.
        ids: semantic_ids.npy.
        model: model.safetensors of the teacher.
        beams: beams.npy; -1 stands for a token that is no codeword of its level.
        report: candidates.json.
        settings: section `candidates`.
        code: hashes of the program.
        cuda: GPUs of this step.
        threads: CPU threads.
    """
    device = devices.acquire(cuda, threads)
    loaded, semantic = windows.load(sequences, examples, "train"), np.load(ids)
    network, table = teacher.load(Path(model).parent, device), teacher.token_table(semantic)
    tree = PrefixTree.from_ids(semantic).to(device) if settings["constrained"] else None
    shared = teacher.Windows.of(loaded)
    made_of = fingerprint(
        [settings, code],
        *(semantic, loaded.stop, np.asarray(loaded.sequences), np.memmap(model, np.uint8, "r")),
    )
    shape = (len(loaded), settings["beams"], teacher.LEVELS)
    raw = PartialArray(beams, shape, np.int16, made_of)
    batches = shared.batches(settings["batch_size"])
    for rows in raw.remaining(batches, "generating candidates"):
        with devices.autocast(device, settings["bf16"]):
            found = teacher_beams.candidates(network, shared, rows, table, settings["beams"], tree)
        raw.values[shared.examples_of(rows)[0]] = found.codewords.cpu().numpy()
    quality = priors.beam_quality(raw.values, loaded.target, semantic)
    print(", ".join(f"{name} {value}" for name, value in quality.items()))
    raw.finish()
    artefacts.write_json(report, quality | {"seconds": raw.seconds})


if __name__ == "__main__":
    with joblog.redirect(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.input.sequences,  # noqa: F821
            snakemake.input.examples,  # noqa: F821
            snakemake.input.ids,  # noqa: F821
            snakemake.input.model,  # noqa: F821
            snakemake.output.beams,  # noqa: F821
            snakemake.output.report,  # noqa: F821
            snakemake.params.candidates,  # noqa: F821
            snakemake.params.code,  # noqa: F821
            snakemake.params.cuda,  # noqa: F821
            snakemake.threads,  # noqa: F821
        )
