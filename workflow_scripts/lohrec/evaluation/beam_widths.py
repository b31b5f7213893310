"""Accuracy, diversity and invalid identifiers by the width of the beam (Figures 1 and 3)."""

from typing import Any

from lohrec.common import artefacts
from lohrec.evaluation import per_user, tables

INVALID = "invalid"


def compare(
    variants: dict[str, tuple[list[str], str]], beams: list[int], cutoff: int
) -> dict[str, dict[str, list[float]]]:
    """{metric: {variant: values at the widths}} of the test users.

    Args:
        variants: {variant: (per_user.parquet at each width, invalid.json)}.
        beams: widths of the beam.
        cutoff: K of the metrics.
    """
    metrics = [f"{name}@{cutoff}" for name in ("recall", "ndcg", "diversity")]
    result: dict[str, dict[str, list[float]]] = {metric: {} for metric in [*metrics, INVALID]}
    for name, (paths, invalid) in variants.items():
        at_width = [per_user.read([path], "test")[1] for path in paths]
        for metric in metrics:
            result[metric][name] = [float(values[metric].mean()) for values in at_width]
        shares = artefacts.read_json(invalid)
        result[INVALID][name] = [shares[str(width)] for width in beams]
    return result


def title(metric: str) -> str:
    """A metric's heading."""
    invalid = "Invalid identifiers without constraint"
    return invalid if metric == INVALID else tables.label(metric)


def page(result: dict[str, Any]) -> str:
    """The page beam_widths.md.

    Args:
        result: what beam_widths.json holds: dataset, beams and metrics, see `compare`.
    """
    parts = [f"# {result['dataset']}: width of the beam search, test set"]
    header = ["variant", *(f"{width} beams" for width in result["beams"])]
    for metric, variants in result["metrics"].items():
        rows = [[name, *(f"{v:.4f}" for v in values)] for name, values in variants.items()]
        parts += [f"## {title(metric)}", tables.markdown(header, rows)]
    return "\n\n".join(parts) + "\n"
