"""What a single setting of a row does, as a figure and two tables."""

from typing import Any

from lohrec.common import artefacts, job
from lohrec.evaluation import charts, sweeps


def main(
    per_user: list[str],
    table: str,
    markdown: str,
    figure: list[str],
    dataset: str,
    swept: dict[str, Any],
    settings: dict[str, Any],
) -> None:
    """Write the tables and the figure.

    Args:
        per_user: per_user.parquet, value by value, seed by seed.
        table, markdown: the files to write.
        figure: the same figure in several formats.
        dataset: its name.
        swept: `row`, `setting`, `seeds` ({value: number of seeds}), and `reference`, the value that
            the others are held against, and `paired`, those that share trainings with it.
        settings: `cutoff`, K of the metrics, `resamples`, and `vectors`, what diversity is of.
    """
    row, setting, reference = (swept[name] for name in ("row", "setting", "reference"))
    paths = iter(per_user)
    values = {value: [next(paths) for _ in range(n)] for value, n in swept["seeds"].items()}
    result = sweeps.compare(values, reference, **settings, paired=swept["paired"])
    title = f"{dataset}: {row} by {setting}"
    page = sweeps.page(title, setting, reference, result)
    print(page)
    artefacts.write_text(markdown, page)
    artefacts.write_text(table, sweeps.table(result))
    users = f"{result['test']['users']:,} users"
    marked = list(values).index(reference)
    panels = sweeps.panels(result)
    charts.intervals(figure, f"{title}, {users}", setting, list(values), panels, marked)


if __name__ == "__main__":
    job.run(main, snakemake)
