"""All variants of a dataset against a reference, with a paired bootstrap over users and seeds."""

import numpy as np

from lohrec.common import artefacts, job
from lohrec.data import catalogue
from lohrec.data.examples import first_items, read_examples
from lohrec.evaluation import (
    best_baseline,
    comparison,
    comparison_page,
    diversity,
    gain_figure,
    recommendations,
    slices,
)


def main(
    per_user: list[str],
    exposure: list[str],
    sequences: str,
    examples: str,
    json: str,
    markdown: str,
    figure: list[str],
    dataset: str,
    seeds: dict[str, int],
    settings: dict,
    reference: str,
    paired: dict[str, list[str]],
    kinds: dict[str, str],
) -> None:
    """Write comparison.json, comparison.md and the figure.

    Args:
        per_user, exposure: per_user.parquet and exposure.json, variant by variant, seed by seed.
        sequences, examples: sequences.npy, examples.parquet of the dataset.
        json, markdown: the files to write.
        figure: the same figure in several formats.
        dataset: its name.
        seeds: {variant: number of its seeds}, in the order of the table.
        settings: `cutoffs`, `diversity`, `resamples`.
        reference: the variant that the others are compared with.
        paired: {variant: those that share trainings with it, seed by seed}, of the reference and
            of baselines; those of which none does may be missing.
        kinds: {variant: "baseline", "teacher" or "own"}.

    Raises:
        ValueError: the reference is missing, users differ, or figures contradict each other.
    """
    if reference not in seeds:
        raise ValueError(f"{dataset}: no variant {reference!r} to compare with; add it.")
    files = iter(zip(per_user, exposure, strict=True))
    paths = {name: [next(files) for _ in range(count)] for name, count in seeds.items()}
    largest = max(settings["cutoffs"])
    train = read_examples(sequences, examples, "train")
    popularity = catalogue.counts(train, int(train.sequences.max()) + 1)
    first = first_items(read_examples(sequences, examples, "test").stop)
    excluded = recommendations.excludes_history(recommendations.splits(per_user[0]))
    with_reference, splits = paired.get(reference, []), {}
    for split in ("test", recommendations.OTHER[excluded], "dev"):
        of_users = {name: [one for one, _ in parts] for name, parts in paths.items()}
        users, figures = comparison.read(of_users, split, reference)
        variants = comparison.compare(
            figures, reference, settings["resamples"], with_reference, settings["diversity"]
        )
        best_baseline.add_gains(
            variants, figures, kinds, settings["cutoffs"], settings["resamples"], paired
        )
        for name, parts in paths.items():
            variants[name]["exposure"] = comparison.exposure([one for _, one in parts], split)
        own = read_examples(sequences, examples, split.partition("_")[0])
        order = np.argsort(own.user)
        if not np.array_equal(own.user[order], users):
            raise ValueError(f"{examples} has other {split} users than {per_user[0]}.")
        masks = {
            "history": slices.by_history(own.stop[order] - first[users]),
            "popularity": slices.by_popularity(own.target[order], popularity),
        }
        splits[split] = {
            "users": len(users),
            "variants": variants,
            "slices": slices.compare(figures, masks, largest),
        }
    result = {
        "dataset": dataset,
        "exclude_history": excluded,
        "reference": reference,
        "paired": with_reference,
        "kinds": kinds,
        "level": comparison.LEVEL,
        "resamples": settings["resamples"],
        "seed": comparison.SEED,
        "diversity": settings["diversity"],
        "splits": splits,
    }
    page = comparison_page.page(result)
    print(page)
    artefacts.write_json(json, result)
    artefacts.write_text(markdown, page)
    panels = [f"{metric}@{largest}" for metric in ("recall", "ndcg", "diversity")]
    panels = [one for one in panels if diversity.comparable(one, settings["diversity"])]
    gain_figure.draw(figure, result, panels)


if __name__ == "__main__":
    job.run(main, snakemake)
