"""All variants of a dataset against a reference, with a paired bootstrap over users."""

from lohrec.common import artefacts, job
from lohrec.evaluation import comparison, gain_figure, tables


def main(
    inputs: dict[str, list[str]],
    json: str,
    markdown: str,
    figure: str,
    dataset: str,
    variants: list[str],
    settings: dict,
    reference: str,
) -> None:
    """Write comparison.json, comparison.md and comparison.svg.

    Args:
        inputs: {variant: per_user.parquet of each of its seeds}.
        json, markdown, figure: the three files to write.
        dataset: its name.
        variants: their names, in the order of the table.
        settings: `cutoffs`, `diversity`, `resamples`.
        reference: the variant that the others are compared with.

    Raises:
        ValueError: the reference is missing, users differ, or figures contradict each other.
    """
    if reference not in variants:
        raise ValueError(f"{dataset}: no variant {reference!r} to compare with; add it.")
    per_user_paths = {name: inputs[name] for name in variants}
    result = {
        "dataset": dataset,
        "reference": reference,
        "level": comparison.LEVEL,
        "resamples": settings["resamples"],
        "seed": comparison.SEED,
        "diversity": settings["diversity"],
        "splits": {
            split: comparison.compare(per_user_paths, split, reference, settings["resamples"])
            for split in ("test", "dev")
        },
    }
    page = tables.comparison(result)
    print(page)
    artefacts.write_json(json, result)
    artefacts.write_text(markdown, page)
    largest = max(settings["cutoffs"])
    with artefacts.whole(figure) as temporary:
        panels = [f"{metric}@{largest}" for metric in ("recall", "ndcg", "diversity")]
        gain_figure.draw(temporary, result, "test", panels)


if __name__ == "__main__":
    job.run(main, snakemake)
