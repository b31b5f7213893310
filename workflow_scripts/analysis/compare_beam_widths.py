"""Accuracy, diversity and invalid identifiers as the beam grows wider (Figures 1 and 3)."""

from lohrec.common import artefacts, job
from lohrec.evaluation import charts, tables
from lohrec.evaluation import per_user as user_metrics


def main(
    per_user: list[str],
    invalid: list[str],
    json: str,
    markdown: str,
    figure: str,
    dataset: str,
    variants: list[str],
    beams: list[int],
    cutoff: int,
) -> None:
    """Write beam_widths.json, beam_widths.md and beam_widths.svg for the test users.

    Args:
        per_user: per_user.parquet of each variant at each width, variant by variant.
        invalid: each variant's shares of invalid beams by width.
        json, markdown, figure: the three files to write.
        dataset: its name.
        variants: their names.
        beams: widths of the beam.
        cutoff: K of the metrics.
    """
    metrics = [f"{name}@{cutoff}" for name in ("recall", "ndcg", "diversity")]
    result: dict[str, dict[str, list[float]]] = {metric: {} for metric in [*metrics, "invalid"]}
    paths = iter(per_user)
    for name, shares_path in zip(variants, invalid, strict=True):
        at_width = [user_metrics.read([next(paths)], "test")[1] for _ in beams]
        for metric in metrics:
            result[metric][name] = [float(values[metric].mean()) for values in at_width]
        shares = artefacts.read_json(shares_path)
        result["invalid"][name] = [shares[str(width)] for width in beams]
    artefacts.write_json(json, {"dataset": dataset, "beams": beams, "metrics": result})
    titles = {metric: tables.label(metric) for metric in metrics}
    titles["invalid"] = "Invalid identifiers without constraint"
    page = [f"# {dataset}: width of the beam search, test set"]
    for metric, title in titles.items():
        rows = [[name, *(f"{v:.4f}" for v in values)] for name, values in result[metric].items()]
        header = ["variant", *(f"{width} beams" for width in beams)]
        page += [f"## {title}", tables.markdown(header, rows)]
    page = "\n\n".join(page)
    print(page)
    artefacts.write_text(markdown, page + "\n")
    with artefacts.whole(figure) as temporary:
        panels = {title: result[metric] for metric, title in titles.items()}
        charts.lines(temporary, f"{dataset}, test set", "beams", beams, panels)


if __name__ == "__main__":
    job.run(main, snakemake)
