"""Accuracy, diversity and invalid identifiers by the width of the beam (Figures 1 and 3)."""

from typing import Any

from lohrec.common import artefacts
from lohrec.evaluation import per_user, tables

INVALID = "invalid"
NOTE = (
    "Of the first seed. Invalid identifiers are counted without the prefix tree: at each step any "
    "codeword may be written for which the network has a logit, those of other levels too. A "
    "network whose softmax ran over a level's codewords alone (`codewords: level`) has never "
    "learned to avoid the others, and one whose softmax ran over those that go on to an item "
    "(`codewords: legal`) not even its own level's; a compact network has no logits of other "
    "levels. Do not compare invalid identifiers of rows that differ in this. Where lists leave out "
    "a user's own items, those with many are searched with more beams. The ranker of a "
    "cascade orders as many candidates as there are beams, in Table 1 `decoding.rerank` of them: "
    "where a list is as long as the beam is wide, it holds the retriever's own items. Invalid ones "
    "are its retriever's."
)


def compare(
    variants: dict[str, tuple[list[str], str | None]], beams: list[int], cutoff: int
) -> dict[str, Any]:
    """Of the test set `users`, their number, and `metrics`, {metric: {variant: values at widths}}.

    Args:
        variants: {variant: (per_user.parquet at each width, invalid.json, or None of a cascade)}.
        beams: widths of the beam.
        cutoff: K of the metrics.
    """
    metrics = [f"{name}@{cutoff}" for name in ("recall", "ndcg", "diversity")]
    result: dict[str, dict[str, list[float]]] = {metric: {} for metric in [*metrics, INVALID]}
    users = 0
    for name, (paths, invalid) in variants.items():
        read = [per_user.read([path], "test") for path in paths]
        users, at_width = len(read[0][0]), [figures for _, figures in read]
        for metric in metrics:
            result[metric][name] = [float(values[metric].mean()) for values in at_width]
        if invalid is not None:
            shares = artefacts.read_json(invalid)
            result[INVALID][name] = [shares[str(width)] for width in beams]
    return {"users": users, "metrics": result}


def title(metric: str) -> str:
    """A metric's heading."""
    invalid = "Invalid identifiers"
    return invalid if metric == INVALID else tables.label(metric)


def page(result: dict[str, Any]) -> str:
    """The page beam_widths.md.

    Args:
        result: what beam_widths.json holds: dataset, beams and what `compare` returns.
    """
    parts = [
        f"# {result['dataset']}: width of the beam search, test set, {result['users']:,} users",
        NOTE,
    ]
    header = ["variant", *(f"{width} beams" for width in result["beams"])]
    for metric, variants in result["metrics"].items():
        rows = [[name, *(f"{v:.4f}" for v in values)] for name, values in variants.items()]
        parts += [f"## {title(metric)}", tables.markdown(header, rows)]
    return "\n\n".join(parts) + "\n"
