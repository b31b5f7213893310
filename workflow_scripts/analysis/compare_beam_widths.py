"""Accuracy, diversity and invalid identifiers as the beam grows wider (Figures 1 and 3)."""

from itertools import zip_longest

from lohrec.common import artefacts, job
from lohrec.evaluation import beam_widths, charts


def main(
    per_user: list[str],
    invalid: list[str],
    json: str,
    markdown: str,
    figure: list[str],
    dataset: str,
    variants: list[str],
    beams: list[int],
    cutoff: int,
) -> None:
    """Write beam_widths.json, beam_widths.md and the figure for the test users.

    Args:
        per_user: per_user.parquet of each variant at each width, variant by variant.
        invalid: shares of invalid beams by width of the first variants; cascades come last and
            have none.
        json, markdown: the files to write.
        figure: the same figure in several formats.
        dataset: its name.
        variants: their names.
        beams: widths of the beam.
        cutoff: K of the metrics.
    """
    paths = iter(per_user)
    files = {
        name: ([next(paths) for _ in beams], shares)
        for name, shares in zip_longest(variants, invalid)
    }
    result = {"dataset": dataset, "beams": beams, **beam_widths.compare(files, beams, cutoff)}
    page = beam_widths.page(result)
    print(page)
    artefacts.write_json(json, result)
    artefacts.write_text(markdown, page)
    panels = {beam_widths.title(metric): values for metric, values in result["metrics"].items()}
    title = f"{dataset}, test set, {result['users']:,} users"
    charts.lines(figure, title, "beams", beams, panels)


if __name__ == "__main__":
    job.run(main, snakemake)
