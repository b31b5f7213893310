"""A variant's metrics over its seeds, with what is needed to make them again."""

from lohrec.common import artefacts, job, provenance
from lohrec.evaluation import comparison, recommendations, tables
from lohrec.evaluation import per_user as user_metrics


def main(
    per_user: list[str],
    exposure: list[str],
    statistics: str,
    metrics: str,
    dataset: str,
    variant: str,
    seeds: list[int],
    config: dict,
) -> None:
    """Write metrics.json.

    Args:
        per_user, exposure: per_user.parquet and exposure.json of each seed.
        statistics: statistics.json of the dataset.
        metrics: metrics.json.
        dataset: its name.
        variant: its name.
        seeds: in the order of `per_user`.
        config: the settings that made the result.
    """
    names = recommendations.splits(per_user[0])
    excluded = recommendations.excludes_history(names)
    summary: dict = {"dataset": dataset, "variant": variant, "exclude_history": excluded}
    for split in ("test", "dev", recommendations.OTHER[excluded]):
        users, figures = user_metrics.read(per_user, split)
        summary[split] = {name: tables.mean_and_std(values) for name, values in figures.items()}
        tables.check(
            {name: figure["mean"] for name, figure in summary[split].items()},
            f"{dataset}, {variant}, {split}",
        )
        summary[split] |= comparison.exposure(exposure, split)
    summary |= {
        "seeds": seeds,
        "users": len(users),
        "statistics": artefacts.read_json(statistics),
        "versions": provenance.versions(),
        "config": config,
    }
    artefacts.write_json(metrics, summary)


if __name__ == "__main__":
    job.run(main, snakemake)
