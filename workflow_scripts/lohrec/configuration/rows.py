"""Rows of variants.yaml: which recommender each names, and which settings and rows it reads."""

from typing import Any

from lohrec.configuration import registry
from lohrec.configuration.registry import known
from lohrec.configuration.sections import OF_KIND, Table, Values, flat, overlaid

# What a row may say beside `recommender`, by that; any other recommender reads its settings alone.
GENERATIVE = {
    "network", "identifiers", "loss", "learns", "generation", "ranking", "prior", "teacher",
    "start_from", "part", "settings",
}  # fmt: skip
READ_BY = {
    "generative": GENERATIVE,
    "cascade": {"retriever", "ranker"},
    "ensemble": {"members"},
}
# Where a row names another: one that is trained, or any that can teach.
TRAINED = ("start_from", "retriever", "ranker")
TEACHES = ("teacher", "members")
# How the names of the paper's methods end as rows: with T5, with the compact network.
ENDINGS = ("", "_compact")
# What a teacher leaves for others to learn from.
LESSONS = ("probabilities", "beams")
# The identifiers that rows have where they do not say.
SEMANTIC = "semantic"
# The loss that `ranking` weighs; all others are losses of generation.
RANKING = "margin_ranking"


def complete(row: Values, schema: Values) -> Values:
    """A row with the default of each key that its recommender reads.

    Args:
        schema: of a row.
    """
    properties = schema["properties"]
    recommender = row.get("recommender", properties["recommender"]["default"])
    read = _keys(recommender)
    given = {name: one["default"] for name, one in properties.items() if "default" in one}
    return {"recommender": recommender} | {n: v for n, v in given.items() if n in read} | row


def faults(name: str, row: Values, schema: Values) -> list[str]:
    """What a row says that has no effect, or that excludes something else that it says.

    Args:
        schema: of a row.
    """
    full = complete(row, schema)
    recommender = full["recommender"]
    if idle := sorted(row.keys() - {"recommender"} - _keys(recommender)):
        return [
            f"variants.{name}: {', '.join(idle)} would have no effect with the recommender "
            f"{recommender}"
        ]
    if full.get("teacher") and not learns_from_teacher(full):
        return [f"variants.{name}: teacher would have no effect on a row that learns from none"]
    if full["folds"] > 1 and (recommender == "ensemble" or not teaching_rows({name: full})):
        return [
            f"variants.{name}: folds would have no effect on a row that does not teach; of an "
            "ensemble say them of its members"
        ]
    lessons = set(reads(full)) - {"ids", "encoder"} or full.get("prior")
    if full["folds"] > 1 and (lessons or full.get("start_from")):
        seen = "what the row begins with or learns from has seen them"
        return [f"variants.{name}: folds leave users out, and {seen}; leave folds out"]
    if full.get("identifiers", SEMANTIC) != SEMANTIC and lessons:
        return [
            f"variants.{name}: candidates and a teacher's lessons are of semantic IDs, and the row "
            f"has {full['identifiers']} ones"
        ]
    if is_trained(full) and full["learns"] != "next_item":
        if full["ranking"]:
            return [f"variants.{name}: a row that learns {full['learns']} has no ranking"]
        if loss_reads(full["loss"]):
            return [
                f"variants.{name}: the loss {full['loss']} is of the next item, and the row learns "
                f"{full['learns']}"
            ]
    return []


def check(name: str, row: Values, variants: Table) -> None:
    """Refuse a row that names no row, itself, or overlays settings that it does not read.

    Args:
        row: a complete one.

    Raises:
        ValueError: it does.
    """
    for role, named in parts(row):
        serve = trained_rows(variants) if role in TRAINED else teaching_rows(variants)
        known(named, serve, f"variants.{name}.{role}")
    rows_behind(name, variants | {name: row})
    used = {identifiers(one) for one in (row, *(variants[n] for _, n in parts(row)))} - {None}
    if len(used) > 1:
        raise ValueError(f"variants.{name}: its rows have different identifiers.")
    if len({folds(one, variants) for one in row.get("members", [])} - {1}) > 1:
        raise ValueError(
            f"variants.{name}: its members have different folds; give them one number."
        )
    overlay = flat(row.get("settings", {}))
    if wrong := sorted(place for place in overlay if not _is_read(place, row)):
        raise ValueError(
            f"variants.{name}.settings: {', '.join(wrong)} would have no effect: a row reads the "
            "settings of its own network, its own losses and its own recommender, and of "
            "`training` the warm_ values if it starts from another row's model and the plain ones "
            "if not."
        )


def identifiers(row: Values) -> str | None:
    """The kind of identifiers that a row's recommender reads; None if it reads none."""
    if is_trained(row):
        return str(row["identifiers"])
    return SEMANTIC if "ids" in reads(row) else None


def folds(name: str, variants: Table) -> int:
    """In how many parts users are taught by a fit of this row that has not learned from them."""
    row = variants[name]
    of_members = [folds(one, variants) for one in row.get("members", [])]
    return int(max([row["folds"], *of_members]))


def parts(row: Values) -> list[tuple[str, str]]:
    """The rows that a row names, each with its role."""
    found = []
    for role in (*TRAINED, *TEACHES):
        named = row.get(role) or []
        found += [(role, one) for one in ([named] if isinstance(named, str) else named)]
    return found


def losses(row: Values) -> list[str]:
    """The losses of a row that is trained."""
    return [row["loss"], *([RANKING] if row["ranking"] else [])]


def loss_reads(loss: str) -> list[str]:
    """What a loss reads beyond the sequences."""
    return list(registry.declared("loss", loss, "READS") or ())


def modules(row: Values, variants: Table) -> list[tuple[str, str]]:
    """Kind and name of the registered modules that a row's fitting and its lists depend on."""
    named = [("recommender", row["recommender"])]
    if row["recommender"] == "generative":
        # On the dev set every row is measured by Eq. 8, too.
        of_row = {"one_hot", *losses(row)}
        named += [("network", row["network"]), *(("loss", loss) for loss in sorted(of_row))]
    made_of = [one for role, one in parts(row) if role in ("retriever", "ranker", "members")]
    if row["recommender"] != "generative":
        of_parts = {
            module
            for one in made_of
            for module in modules(variants[one], variants)
            if module[0] != "loss"
        }
        named += sorted(of_parts - set(named))
    return named


def reads(row: Values) -> list[str]:
    """The artefacts that a row's fitting reads beyond the data, other rows' models left out."""
    artefacts = list(declared_of(row, "READS", []))
    if is_trained(row):
        artefacts += [name for loss in losses(row) for name in loss_reads(loss)]
        artefacts += ["beams"] if row["learns"] != "next_item" else []
    return list(dict.fromkeys(artefacts))


def learns_from_teacher(row: Values) -> bool:
    """Whether a row learns a teacher's probabilities, beams, or order of candidates."""
    return bool({*LESSONS} & {*reads(row)}) or row.get("prior") == "teacher"


def declared_of(row: Values, what: str, otherwise: Any) -> Any:
    """A literal that the module of a row's recommender assigns, or `otherwise`."""
    literal = registry.declared("recommender", row["recommender"], what)
    return otherwise if literal is None else literal


def has_trait(row: Values, trait: str) -> bool:
    """Whether the module of a row's recommender declares a trait."""
    return trait in declared_of(row, "TRAITS", [])


def of_row(sections: Values, row: Values) -> Values:
    """A dataset's sections with the row's own settings over them."""
    own = row.get("settings", {})
    return sections | {name: overlaid(sections[name], values) for name, values in own.items()}


def fitting(sections: Values, row: Values) -> Table:
    """The settings that a row's fitting depends on, and none that it does not.

    Returns:
        of a generative recommender: network; training, which has `epochs` and `learning_rate` of
        its kind of start alone; and objective: loss, learns, the weights generation and ranking,
        and `losses`, {loss: settings}. Of a cascade its roles, and of others their own settings.
    """
    values = of_row(sections, row)
    if not is_trained(row):
        roles: Table = {role: row[role] for role in (*TRAINED, *TEACHES) if role in row}
        settings: Table = values["recommenders"][row["recommender"]]
        # No result depends on how many users are computed at once.
        return roles | {name: value for name, value in settings.items() if name != "batch_size"}
    idle = _idle(row)
    return {
        "network": {"name": row["network"], **values["networks"][row["network"]]},
        "training": {n: v for n, v in values["training"].items() if f"training.{n}" not in idle},
        "objective": {
            **{name: row[name] for name in ("loss", "learns", "generation", "ranking")},
            "losses": {loss: values["losses"][loss] for loss in losses(row)},
        },
    }


def is_trained(row: Values) -> bool:
    """Whether a row trains a model: for itself, or as a part of a cascade."""
    return bool(row["recommender"] == "generative")


def trained_rows(variants: Table) -> Table:
    """Rows whose model another row can start from or be made of."""
    return {name: row for name, row in variants.items() if is_trained(row)}


def teaching_rows(variants: Table) -> Table:
    """Rows whose distribution over items another row can learn from or mix."""
    return {name: row for name, row in variants.items() if has_trait(row, "teaches")}


def reported_rows(variants: Table) -> Table:
    """Rows that recommend: all but those that are only a part of a cascade."""
    return {name: row for name, row in variants.items() if not row.get("part")}


def compared_rows(variants: Table) -> Table:
    """Rows of a comparison whose dataset names none."""
    return {name: row for name, row in reported_rows(variants).items() if not row["optional"]}


def rows_behind(name: str, variants: Table, on_the_way: tuple[str, ...] = ()) -> Table:
    """A row of variants, and all rows whose models it starts from, is made of or learns from.

    Raises:
        ValueError: the row is behind itself.
    """
    if name in on_the_way:
        raise ValueError(f"variants.{name} is made of itself: {' -> '.join((*on_the_way, name))}.")
    behind = {name: variants[name]}
    for _, part in parts(variants[name]):
        behind |= rows_behind(part, variants, (*on_the_way, name))
    return behind


def trainings(name: str, variants: Table) -> set[str]:
    """The rows whose trainings, a seed each, are in a row's model: its own, and those it goes on
    from or is made of."""
    row = variants[name]
    return {name}.union(
        *(trainings(part, variants) for role, part in parts(row) if role in TRAINED)
    )


def settings_behind(name: str, source: str, sections: Values, variants: Table) -> Values:
    """A dataset's sections without the settings of modules that a row's result does not depend on.

    Args:
        source: of the dataset.
    """
    behind = rows_behind(name, variants).values()
    named = {("source", source), *(one for row in behind for one in modules(row, variants))}
    return {
        section: {n: v for n, v in values.items() if (OF_KIND[section], n) in named}
        if section in OF_KIND
        else values
        for section, values in sections.items()
    }


def _keys(recommender: str) -> set[str]:
    """What a row may say beside `recommender`."""
    return READ_BY.get(recommender, {"settings"}) | {"optional", "folds"}


def _idle(row: Values) -> set[str]:
    """Settings of `training` that have no effect on a row."""
    plain = ("epochs", "learning_rate")
    return {f"training.{'' if row['start_from'] else 'warm_'}{name}" for name in plain}


def _is_read(place: str, row: Values) -> bool:
    """Whether a row that overlays the setting at this place reads it."""
    groups = [f"recommenders.{row['recommender']}."]
    if is_trained(row):
        groups += ["training.", f"networks.{row['network']}."]
        groups += [f"losses.{loss}." for loss in losses(row)]
    return place.startswith(tuple(groups)) and not (is_trained(row) and place in _idle(row))
