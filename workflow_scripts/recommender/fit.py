"""Fit a variant's recommender and leave it as one complete folder."""

from pathlib import Path
from typing import Any

from lohrec.common import artefacts, devices, job, provenance, unfinished
from lohrec.data.catalogue import Catalogue
from lohrec.data.examples import read_examples
from lohrec.data.sequences import leaves_out
from lohrec.recommender.recommender import Inputs, named


def main(
    inputs: dict[str, str],
    sequences: str,
    examples: str,
    catalogue: str,
    statistics: str,
    model: str,
    settings: dict[str, Any],
    decoding: dict[str, Any],
    batch_size: int,
    dataset: str,
    variant: str,
    seed: int,
    code: dict[str, str],
    cuda: dict[str, Any],
    threads: int,
    fold: int | None = None,
    folds: int = 1,
) -> None:
    """Write the folder `model`.

    Args:
        inputs: all inputs of the rule; what the recommender reads beside the four that follow.
        sequences, examples, catalogue: sequences.npy, examples.parquet, items.parquet.
        statistics: statistics.json of the dataset.
        model: recommender.json of the folder to write, which `lohrec.Recommender.load` opens.
        settings: `recommender` (a name), `history` (most items read) and the recommender's own.
        decoding: of the section `decoding` what the result depends on.
        batch_size: dev users that are decoded at once.
        dataset, variant, seed: what is fitted.
        code: hashes of the program.
        cuda: GPUs to use.
        threads: of the CPU.
        fold: the fold of users to leave out, or None.
        folds: how many there are.
    """
    train = read_examples(sequences, examples, "train")
    if fold is not None:
        train = train.without_fold(fold, folds)
    excluded = leaves_out(decoding["exclude_history"], statistics)
    folder = Path(model).parent
    fitted = named(settings["recommender"]).fit(
        Inputs(
            train,
            read_examples(sequences, examples, "dev"),
            Catalogue.of(catalogue, train),
            settings["history"],
            inputs,
            decoding | {"batch_size": batch_size, "exclude_history": excluded},
            devices.acquire(cuda, threads),
            unfinished.beside(folder, "checkpoint"),
            code,
        ),
        settings,
        seed,
    )
    with artefacts.whole_folder(folder) as temporary:
        made = {"dataset": dataset, "variant": variant, "seed": seed, "settings": settings}
        made |= {} if fold is None else {"without_fold": f"{fold} of {folds}"}
        fitted.save(temporary, made | {"versions": provenance.versions()})


if __name__ == "__main__":
    job.run(main, snakemake)
