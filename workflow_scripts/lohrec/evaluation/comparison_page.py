"""The page comparison.md."""

from typing import Any

from lohrec.evaluation.recommendations import own_items
from lohrec.evaluation.tables import TOLERANCE, label, markdown

SLICED = {
    "history": "by the items in their history",
    "popularity": "by the popularity of their target",
}
ONE_SEED = "†"


def page(result: dict[str, Any]) -> str:
    """For each split the figures and the differences to the reference; slices of the test set.

    Args:
        result: what comparison.json holds; see compare.py.
    """
    reference, level = result["reference"], f"{result['level']:.0%}"
    parts = [f"# {result['dataset']}: recommenders against {reference}"]
    for split, part in result["splits"].items():
        variants = part["variants"]
        figures = {name: variant["metrics"] for name, variant in variants.items()}
        shown, tied = shown_metrics(figures)
        name, own = split.partition("_")[0].capitalize(), own_items(split, result)
        parts.append(f"## {name} set, own items {own}, {part['users']:,} users")
        parts.append(
            markdown(
                ["variant", "seeds", *map(label, shown + tied)],
                [
                    [
                        name,
                        str(variants[name]["seeds"]),
                        *(_figure(metrics[m]) for m in shown + tied),
                    ]
                    for name, metrics in figures.items()
                ],
            )
        )
        parts.append(_lists(variants))
        single = of_one_seed(variants)
        others = {name: metrics for name, metrics in figures.items() if name != reference}
        if others:
            held = [m for m in shown if "difference" in next(iter(others.values()))[m]]
            parts.append(f"Difference to {reference} in % [{level} interval]:")
            parts.append(
                markdown(
                    ["variant", *map(label, held)],
                    [
                        [
                            f"{name} {ONE_SEED}" if name in single else name,
                            *(_difference(metrics[m]) for m in held),
                        ]
                        for name, metrics in others.items()
                    ],
                )
            )
        if split == "test":
            for kind, slices in part["slices"].items():
                parts += [f"Users {SLICED[kind]}:", _slices(slices)]
    return "\n\n".join([*parts, *_notes(result)]) + "\n"


def of_one_seed(variants: dict[str, Any]) -> list[str]:
    """Variants of one seed, beside others of several."""
    single = [name for name, variant in variants.items() if variant["seeds"] == 1]
    return single if len(single) < len(variants) else []


def about_seeds(
    variants: dict[str, Any], reference: str, paired: list[str], mark: str = ""
) -> list[str]:
    """What intervals of differences to a reference do not cover, or pair, a sentence each.

    Args:
        variants: {variant: {"seeds": their number, ...}}.
        reference: a variant.
        paired: those whose seeds are drawn with the reference's.
        mark: stands at the names of variants with one seed; without one they are named.
    """
    said, single = [], of_one_seed(variants)
    if others := [name for name in single if name != reference]:
        said.append(
            f"{mark or ', '.join(others)}: one seed, so that the interval covers users only on "
            "that side, not the training."
        )
    if reference in single:
        said.append(f"The reference {reference} has one seed: its side is users only.")
    if paired:
        said.append(
            f"Of {', '.join(paired)} the same seeds are drawn as of {reference}: they go on from "
            "the same trainings."
        )
    return said


def _notes(result: dict[str, Any]) -> list[str]:
    """What the tables mean."""
    reference, level = result["reference"], f"{result['level']:.0%}"
    variants = result["splits"]["test"]["variants"]
    intervals = (
        f"`*`: the {level} interval of the difference excludes zero, not corrected for the number "
        f"of cells;\na report's are. Paired bootstrap, {result['resamples']:,} resamples"
    )
    if all(variant["seeds"] == 1 for variant in variants.values()):
        intervals += (
            ".\nEach variant has one seed, so the intervals cover users only: their choice, not "
            "the training."
        )
    else:
        intervals += (
            " of the\nusers, the same for both sides, and of each side's seeds; wider where few "
            "seeds tell little of their spread.\n± is the standard deviation over seeds."
        )
        said = about_seeds(variants, reference, result["paired"], ONE_SEED)
        intervals += "".join(f"\n{one}" for one in said)
    if any(
        figure.get("relative", figure) is None
        for part in result["splits"].values()
        for variant in part["variants"].values()
        for figure in variant["metrics"].values()
    ):
        intervals += (
            f"\nn/a: {reference}'s own figure may be zero; comparison.json has differences."
        )
    scope = "dataset only"
    if result["diversity"] == "model":
        scope = "variant only:\neach has vectors of its own, so there are no differences"
    lists = (
        f"Diversity is Eq. 17 of the paper on the vectors `{result['diversity']}`; the usual "
        "intra-list diversity is\nthat times (K + 1) / (K - 1). Compare it within one "
        f"{scope}. Catalogue coverage: share of all items\nthat some list shows. Gini: 0 "
        "where all items are shown equally often, near 1 where a few are."
    )
    slices = (
        "Popularity of a target, by train interactions: the most popular items that have a third "
        "of them\n(head), the next third (middle), the rest (tail). Slices of the dev set are in "
        "comparison.json."
    )
    own = (
        "Own items: those of a user's history, left out of the lists or kept. All tables are of "
        f"the same models,\nwhose best states were chosen on the dev set with own items "
        f"{own_items('dev', result)}."
    )
    return [intervals, lists, slices, own]


def shown_metrics(figures: dict[str, dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Accuracy at all cutoffs, diversity at the largest; identifiers' too where ties change it.

    Args:
        figures: {variant: {metric: {"mean", ...}}}.
    """
    metrics = list(next(iter(figures.values())))
    cutoffs = sorted(int(name.split("@")[1]) for name in metrics if name.startswith("recall@"))
    accuracy = [f"{name}@{k}" for name in ("recall", "ndcg") for k in cutoffs]
    tied = any(
        abs(values[f"sid_{metric}"]["mean"] - values[metric]["mean"]) > TOLERANCE
        for values in figures.values()
        for metric in accuracy
    )
    sid = [f"sid_{name}@{cutoffs[-1]}" for name in ("recall", "ndcg")] if tied else []
    return [*accuracy, f"diversity@{cutoffs[-1]}"], sid


def _lists(variants: dict[str, Any]) -> str:
    """MRR, which items are shown at the largest cutoff, and places that no item fills, if any."""
    first = next(iter(variants.values()))
    mrr = next(name for name in first["metrics"] if name.startswith("mrr@"))
    largest = max(int(name.split("@")[1]) for name in first["exposure"])
    shown = [f"{name}@{largest}" for name in ("catalogue_coverage", "gini", "unfilled")]
    if not any(variant["exposure"][shown[-1]]["mean"] for variant in variants.values()):
        del shown[-1]
    rows = [
        [name, _figure(variant["metrics"][mrr]), *(_figure(variant["exposure"][m]) for m in shown)]
        for name, variant in variants.items()
    ]
    return markdown(["variant", *map(label, [mrr, *shown])], rows)


def _slices(slices: dict[str, Any]) -> str:
    """Variants by metric in rows, slices in columns, and the number of users of each."""
    parts = list(slices.values())
    rows = [["users", "", *(f"{part['users']:,}" for part in parts)]]
    for name, metrics in parts[0]["variants"].items():
        rows += [
            [name, label(metric), *(_figure(part["variants"][name][metric]) for part in parts)]
            for metric in metrics
        ]
    return markdown(["variant", "metric", *slices], rows)


def _figure(figure: dict[str, Any]) -> str:
    return f"{figure['mean']:.4f}" + ("" if figure["std"] is None else f" ±{figure['std']:.4f}")


def _difference(figure: dict[str, Any]) -> str:
    relative, mark = figure["relative"], "*" if figure["excludes_zero"] else " "
    if relative is None:
        return f"n/a {mark}"
    low, high = _percent(relative["low"]), _percent(relative["high"])
    return f"{_percent(relative['mean'], '+')} [{low}, {high}]{mark}"


def _percent(share: float, sign: str = "-") -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"{round(100 * share, 1) + 0.0:{sign}.1f}"
