"""Settings that are tried for a row, as rows of their own: on the dev set, or value by value."""

from typing import Any

from lohrec.configuration import rows
from lohrec.configuration.faults import faults
from lohrec.configuration.registry import known
from lohrec.configuration.sections import Table, Values, overlaid, tree

# No row has it: lists of one model are made again for each width, and nothing is fitted.
BEAMS = "decoding.beams"


def trials(searches: dict[str, list[Values]], variants: Table, schema: Values) -> Table:
    """A row for each trial of each search: the searched row with the trial's settings over its own.

    Args:
        searches: {row: the settings of each trial, and its `ranking` where that is tried}.
        schema: of the configuration.

    Raises:
        ValueError: a search is of no row, or a trial is one that its row cannot be.
    """
    found = {}
    for name, overlays in searches.items():
        row = known(name, variants, "searches")
        for number, overlay in enumerate(overlays):
            if not overlay:
                continue  # the row as it is
            own = {key: value for key, value in overlay.items() if key == "ranking"}
            sections = {key: value for key, value in overlay.items() if key not in own}
            place = f"{name} (searches, number {number})"
            trial = _possible(place, overlaid(row, own | {"settings": sections}), schema)
            rows.check(place, trial, variants)
            found[trial_name(name, number)] = trial
        _require_steps(f"searches.{name}", row)
    return found


def trial_name(name: str, number: int) -> str:
    """The row of a trial of the row `name`, which no row of variants.yaml can be called."""
    return f"{name}-{number}"


def swept(sweeps: Table, variants: Table, schema: Values) -> Table:
    """A row for each value of each sweep: the swept row with the value in one place.

    Args:
        sweeps: {name: row, setting and values}. A setting is a key of the row, such as `ranking`,
            or has a section, such as losses.smoothed.smoothing; of `BEAMS` there are no rows.
        schema: of the configuration.

    Raises:
        ValueError: a sweep is of no row or of no setting, or the row cannot have a value.
    """
    found = {}
    for name, sweep in sweeps.items():
        row = known(sweep["row"], variants, f"sweeps.{name}.row")
        for value in sweep["values"]:
            place = f"{sweep['row']} (sweeps.{name}, {sweep['setting']}: {shown(value)})"
            trial = _with(place, row, sweep["setting"], value, schema)
            if sweep["setting"] == BEAMS and not rows.has_trait(row, "searches_beams"):
                raise ValueError(
                    f"{place} would have no effect: the row has no beam search. Name one that has, "
                    "or another setting."
                )
            if sweep["setting"] != BEAMS:
                rows.check(place, trial, variants)
                found[value_name(name, value)] = trial
    return found


def value_name(name: str, value: object) -> str:
    """The row of a value of the sweep `name`, which no row of variants.yaml can be called."""
    return f"{name}={shown(value)}"


def shown(value: object) -> str:
    """A value as the configuration has it."""
    return "null" if value is None else str(value)


def row_with(name: str, value: object, sweep: Values, settings: Values, variants: Table) -> str:
    """The row of a sweep's value: the swept row itself where it has the value in a dataset.

    Args:
        settings: all sections of the dataset.
        variants: with the rows of `swept`.
    """
    if sweep["setting"] == BEAMS:
        return str(sweep["row"])
    one = value_name(name, value)
    of_value, own = (
        {key: said for key, said in variants[n].items() if key != "settings"}
        | rows.fitting(settings, variants[n])
        for n in (one, sweep["row"])
    )
    return str(sweep["row"]) if of_value == own else one


def studied(studies: Table, variants: Table, schema: Values) -> dict[str, Table]:
    """Of each study a row for every value, and for both ends of every range, by what it tries.

    Args:
        studies: {row: trials, and settings with a range, or values, each}.
        schema: of the configuration.

    Raises:
        ValueError: a study is of no row, or its row cannot have a value.
    """
    found: dict[str, Table] = {}
    for name, study in studies.items():
        row, found[name] = known(name, variants, "studies"), {}
        for setting, tried in study["settings"].items():
            for value in tried.get("values") or [tried["low"], tried["high"]]:
                place = f"{name} (studies, {setting}: {shown(value)})"
                found[name][place] = _with(place, row, setting, value, schema)
                rows.check(place, found[name][place], variants)
            if "low" in tried and (
                tried["low"] >= tried["high"] or (tried.get("log") and tried["low"] <= 0)
            ):
                raise ValueError(
                    f"studies.{name}, {setting}: low is to be below high, and above 0 where log is "
                    f"true; {tried} is not so."
                )
        _require_steps(f"studies.{name}", row)
    return found


def ranges(study: Values, schema: Values) -> Values:
    """The settings of a study: ends of a range are whole numbers where the setting is one.

    Args:
        schema: of the configuration.
    """
    found = {}
    for name, tried in study["settings"].items():
        declared: Any = tree() if "." in name else schema["$defs"]["variant"]["properties"]
        for key in name.split("."):
            declared = declared[key]
        kind = (declared if isinstance(declared, dict) else declared.schema).get("type", "")
        whole = "low" not in tried or "integer" in kind  # the type, or one of several
        found[name] = tried if whole else tried | {e: float(tried[e]) for e in ("low", "high")}
    return found


def _require_steps(place: str, row: Values) -> None:
    """Refuse a row that is not trained in steps: no dev set measures it on the way.

    Raises:
        ValueError: it is not.
    """
    own = tree()["recommenders"].get(row["recommender"], {})
    if not (rows.is_trained(row) or "training" in own):
        raise ValueError(
            f"{place}: the recommender {row['recommender']} is not trained in steps, so that no "
            "figure of the dev set can be looked at. A sweep of the row shows what a setting does."
        )


def place_of(setting: str) -> list[str]:
    """Where the settings of a row's fitting (`rows.fitting`) have one, as keys from outside in."""
    section, *rest = setting.split(".")
    within = {"networks": ["network"], "recommenders": []}
    if section in within:  # the row's own of several
        return [*within[section], *rest[1:]]
    return [*(["objective"] if section == "losses" else []), section, *rest]


def _with(place: str, row: Values, setting: str, value: object, schema: Values) -> Values:
    """A row with a value in one place.

    Raises:
        ValueError: the row cannot have it; the message begins with `place`.
    """
    over = _nested(setting, value)
    return _possible(place, overlaid(row, {"settings": over} if "." in setting else over), schema)


def _possible(place: str, found: Values, schema: Values) -> Values:
    """A row as it is.

    Raises:
        ValueError: it cannot be so; the message begins with `place`.
    """
    lines = faults(found, {"$ref": "#/$defs/variant", "$defs": schema["$defs"]})
    if lines := lines or rows.faults(place, found, schema["$defs"]["variant"]):
        raise ValueError(f"{place}\n  " + "\n  ".join(lines))
    return found


def _nested(place: str, value: object) -> Values:
    """{"a": {"b": value}} of "a.b"."""
    first, _, rest = place.partition(".")
    return {first: _nested(rest, value) if rest else value}
