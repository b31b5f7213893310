"""What the path of a result names, and what a comparison calls it."""

import re

from lohrec.configuration import rows
from lohrec.configuration.registry import known
from lohrec.configuration.sections import Table


def owner(dataset: str, name: str) -> tuple[str, str]:
    """The dataset and the variant that a comparison of `dataset` calls `name`.

    "games_words/lcrec" is a variant of another row, which must have the same users.
    """
    other, _, variant = name.rpartition("/")
    return other or dataset, variant


def check(target: str, datasets: Table, variants: Table) -> None:
    """Refuse a result that no row of datasets or no row of variants makes.

    Args:
        target: a path such as results/games/dwr/metrics.json; other texts are let through.

    Raises:
        ValueError: the dataset or the variant is unknown; the message lists those there are.
    """
    if not (match := re.fullmatch(r"results/([^/]+)/(.+)", target)):
        return
    dataset, rest = match.groups()
    if dataset == "benchmarks":
        return
    known(dataset, datasets, f"{target}: dataset")
    if match := re.fullmatch(r"([^/]+)/seed_\d+/model/.*", rest):
        known(match[1], variants, f"{target}: variant")
    elif match := re.fullmatch(r"([^/]+)/(metrics\.json|seed_.*)", rest):
        known(match[1], rows.reported_rows(variants), f"{target}: variant")
