"""A variant's metrics over its seeds, with what is needed to make them again."""

from lohrec.common import artefacts, job_log, provenance
from lohrec.evaluation import per_user, tables


def main(
    seeds: dict[int, str],
    statistics: str,
    output: str,
    dataset: str,
    variant: str,
    config: dict,
) -> None:
    """Write metrics.json.

    Args:
        seeds: {seed: its per_user.parquet}.
        statistics: statistics.json of the dataset.
        output: metrics.json.
        dataset: its name.
        variant: its name.
        config: the settings that made the result.
    """
    summary: dict = {"dataset": dataset, "variant": variant}
    for split in ("test", "dev"):
        users, figures = per_user.read(list(seeds.values()), split)
        summary[split] = {name: tables.mean_and_std(values) for name, values in figures.items()}
        tables.check(
            {name: own["mean"] for name, own in summary[split].items()},
            f"{dataset}, {variant}, {split}",
        )
    summary |= {
        "seeds": list(seeds),
        "users": len(users),
        "statistics": artefacts.read_json(statistics),
        "versions": provenance.versions(),
        "config": config,
    }
    artefacts.write_json(output, summary)


if __name__ == "__main__":
    with job_log.redirect(snakemake.log[0]):  # noqa: F821
        main(
            dict(zip(snakemake.params.seeds, snakemake.input.per_user, strict=True)),  # noqa: F821
            snakemake.input.statistics,  # noqa: F821
            snakemake.output[0],  # noqa: F821
            snakemake.wildcards.dataset,  # noqa: F821
            snakemake.wildcards.variant,  # noqa: F821
            snakemake.params.config,  # noqa: F821
        )
