"""Settings that are tried for a row on the dev set, as rows of their own."""

from lohrec.configuration import rows
from lohrec.configuration.registry import known
from lohrec.configuration.sections import Table, Values, overlaid


def trials(searches: dict[str, list[Values]], variants: Table) -> Table:
    """A row for each trial of each search: the searched row with the trial's settings over its own.

    Args:
        searches: {row: the settings of each trial}.

    Raises:
        ValueError: a search is of no row, or a trial overlays settings that its row does not read.
    """
    found = {}
    for name, overlays in searches.items():
        row = known(name, variants, "searches")
        for number, overlay in enumerate(overlays):
            if not overlay:
                continue  # the row as it is
            trial = row | {"settings": overlaid(row["settings"], overlay)}
            rows.check(f"{name} (searches, number {number})", trial, variants)
            found[trial_name(name, number)] = trial
    return found


def trial_name(name: str, number: int) -> str:
    """The row of a trial of the row `name`, which no row of variants.yaml can be called."""
    return f"{name}-{number}"
