"""Train the teacher on the train split."""

from pathlib import Path

import numpy as np

from lohrec import artefacts, devices, joblog, teacher, teacher_training
from lohrec import examples as windows


def main(
    sequences: str,
    examples: str,
    ids: str,
    model: str,
    history: str,
    settings: dict,
    code: dict,
    cuda: dict,
    threads: int,
) -> None:
    """Write the teacher as a transformers folder, and the history of its training.

    Args:
        sequences: sequences.npy.
        examples: examples.parquet.
        ids: semantic_ids.npy.
        model: model.safetensors in the folder to write.
        history: history.parquet; the state of an unfinished run is kept beside it.
        settings: section `teacher`.
        code: hashes of the program.
        cuda: GPUs of this step.
        threads: CPU threads.
    """
    device = devices.acquire(cuda, threads)
    checkpoint = Path(history).with_name(".train_teacher.pt")
    trained, table = teacher_training.train(
        windows.load(sequences, examples, "train"),
        windows.load(sequences, examples, "dev"),
        np.load(ids),
        settings,
        device,
        checkpoint,
        code,
    )
    teacher.save(trained, Path(model).parent)
    artefacts.write_parquet(history, table)
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    with joblog.redirect(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.input.sequences,  # noqa: F821
            snakemake.input.examples,  # noqa: F821
            snakemake.input.ids,  # noqa: F821
            snakemake.output.model,  # noqa: F821
            snakemake.output.history,  # noqa: F821
            snakemake.params.teacher,  # noqa: F821
            snakemake.params.code,  # noqa: F821
            snakemake.params.cuda,  # noqa: F821
            snakemake.threads,  # noqa: F821
        )
