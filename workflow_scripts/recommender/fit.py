"""Fit a variant's recommender and leave it as one complete folder."""

from pathlib import Path
from typing import Any

from lohrec.common import artefacts, devices, job, provenance, unfinished
from lohrec.recommender.inputs import Inputs
from lohrec.recommender.recommender import named


def main(
    inputs: dict[str, str],
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
        inputs: all inputs of the rule, see `Inputs.read`.
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
    folder = Path(model).parent
    given = Inputs.read(
        inputs,
        settings["history"],
        decoding | {"batch_size": batch_size},
        devices.acquire(cuda, threads),
        unfinished.beside(folder, "checkpoint"),
        code,
        without=None if fold is None else (fold, folds),
    )
    fitted = named(settings["recommender"]).fit(given, settings, seed)
    with artefacts.whole_folder(folder) as temporary:
        made = {"dataset": dataset, "variant": variant, "seed": seed, "settings": settings}
        made |= {} if fold is None else {"without_fold": f"{fold} of {folds}"}
        made |= {"machine": devices.named(given.device), "versions": provenance.versions()}
        fitted.save(temporary, made)


if __name__ == "__main__":
    job.run(main, snakemake)
