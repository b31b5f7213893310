"""Train the teacher on the train split."""

from lohrec.common import job
from lohrec.teacher.training_job import start_training


def main(
    inputs: dict[str, str],
    outputs: dict[str, str],
    settings: dict[str, dict],
    exclude_history: bool | str,
    code: dict,
    cuda: dict,
    threads: int,
    fold: int | None = None,
) -> None:
    """Write the teacher as a transformers folder, and the history of its training.

    Args:
        inputs: sequences.npy, examples.parquet, semantic_ids.npy and statistics.json as sequences,
            examples, ids and statistics; for a model with words also catalogue (items.parquet),
            templates and perhaps user_texts (JSON) and users (users.parquet).
        outputs: model (model.safetensors in the folder to write) and history (history.parquet;
            the state of an unfinished run is kept beside it).
        settings: sections `teacher`, `adaptation`, `tasks` and `sharding`.
        exclude_history: whether lists on the dev set leave out the items of a history, or "auto".
        code: hashes of the program.
        cuda: GPUs of each node, and nodes; a process for each GPU, and all train together.
        threads: CPU threads of each node.
        fold: the fold of users to leave out, or None.
    """
    start_training(inputs, outputs, settings, exclude_history, fold, code, cuda, threads)


if __name__ == "__main__":
    job.run(main, snakemake)
