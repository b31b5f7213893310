"""Train the teacher on the train split."""

from lohrec.common import job_log
from lohrec.teacher import job as teacher_job


def main(
    inputs: dict[str, str],
    outputs: dict[str, str],
    settings: dict[str, dict],
    fold: int | None,
    code: dict,
    cuda: dict,
    threads: int,
) -> None:
    """Write the teacher as a transformers folder, and the history of its training.

    Args:
        inputs: sequences.npy, examples.parquet and semantic_ids.npy as sequences, examples, ids;
            for a model with words also catalogue (items.parquet), templates and perhaps
            user_texts (JSON) and users (users.parquet).
        outputs: model (model.safetensors in the folder to write) and history (history.parquet;
            the state of an unfinished run is kept beside it).
        settings: sections `teacher`, `adaptation`, `tasks` and `sharding`.
        fold: the fold of users to leave out, or None.
        code: hashes of the program.
        cuda: GPUs of this step; as many processes train together.
        threads: CPU threads.
    """
    teacher_job.start(inputs, outputs, settings, fold, code, cuda, threads)


if __name__ == "__main__":
    with job_log.redirect(snakemake.log[0]):  # noqa: F821
        wildcards = snakemake.wildcards  # noqa: F821
        main(
            dict(snakemake.input.items()),  # noqa: F821
            dict(snakemake.output.items()),  # noqa: F821
            snakemake.params.settings,  # noqa: F821
            int(wildcards.fold) if "fold" in wildcards.keys() else None,  # noqa: SIM118
            snakemake.params.code,  # noqa: F821
            snakemake.params.cuda,  # noqa: F821
            snakemake.threads,  # noqa: F821
        )
