"""Accuracy, diversity and invalid identifiers as the beam grows wider (Figures 1 and 3)."""

from lohrec.common import artefacts, job_log
from lohrec.evaluation import charts, per_user, tables


def main(
    widths: list[int],
    figures: dict[str, list[str]],
    invalid: dict[str, str],
    json: str,
    markdown: str,
    figure: str,
    dataset: str,
    cutoff: int,
) -> None:
    """Write beam_widths.json, beam_widths.md and beam_widths.svg for the test users.

    Args:
        widths: beam widths.
        figures: {variant: per_user.parquet at each width}.
        invalid: {variant: shares of invalid beams by width}.
        json, markdown, figure: the three files to write.
        dataset: its name.
        cutoff: K of the metrics.
    """
    metrics = [f"{name}@{cutoff}" for name in ("recall", "ndcg", "diversity")]
    result = {metric: {} for metric in [*metrics, "invalid"]}
    for name, paths in figures.items():
        found = [per_user.read([path], "test")[1] for path in paths]
        for metric in metrics:
            result[metric][name] = [float(own[metric].mean()) for own in found]
        shares = artefacts.read_json(invalid[name])
        result["invalid"][name] = [shares[str(width)] for width in widths]
    artefacts.write_json(json, {"dataset": dataset, "beams": widths, "metrics": result})
    titles = {metric: tables.label(metric) for metric in metrics}
    titles["invalid"] = "Invalid identifiers without constraint"
    page = [f"# {dataset}: width of the beam search, test set"]
    for metric, title in titles.items():
        rows = [[name, *(f"{v:.4f}" for v in values)] for name, values in result[metric].items()]
        header = ["variant", *(f"{width} beams" for width in widths)]
        page += [f"## {title}", tables.markdown(header, rows)]
    page = "\n\n".join(page)
    print(page)
    artefacts.write_text(markdown, page + "\n")
    with artefacts.whole(figure) as temporary:
        panels = {title: result[metric] for metric, title in titles.items()}
        charts.lines(temporary, f"{dataset}, test set", "beams", widths, panels)


if __name__ == "__main__":
    with job_log.redirect(snakemake.log[0]):  # noqa: F821
        variants, widths = snakemake.params.variants, snakemake.params.beams  # noqa: F821
        paths = iter(snakemake.input.per_user)  # noqa: F821
        main(
            widths,
            {name: [next(paths) for _ in widths] for name in variants},
            dict(zip(variants, snakemake.input.invalid, strict=True)),  # noqa: F821
            snakemake.output.json,  # noqa: F821
            snakemake.output.markdown,  # noqa: F821
            snakemake.output.figure,  # noqa: F821
            snakemake.wildcards.dataset,  # noqa: F821
            snakemake.params.cutoff,  # noqa: F821
        )
