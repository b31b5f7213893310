"""What the configuration asks for, and errors that name what it could have asked for."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import yaml

from lohrec.configuration import agreement, registry, rows, sections, targets
from lohrec.configuration.config_files import check_once
from lohrec.configuration.faults import faults
from lohrec.configuration.registry import known
from lohrec.configuration.sections import Table, Values


def check(config: Values, schema_path: str | Path, files: Sequence[str | Path] = ()) -> None:
    """Compare a configuration, before its defaults are filled in, with its schema.

    Args:
        files: that it was read from, the last over the others.

    Raises:
        ValueError: all the places where it breaks the schema, and what each place may hold.
    """
    check_once(files)
    whole = schema(schema_path)
    lines = faults(config, whole, files)
    for name, row in config["variants"].items() if not lines else ():
        lines += rows.faults(name, row, whole["$defs"]["variant"])
    if lines:
        raise ValueError("The configuration has errors.\n  " + "\n  ".join(sorted(lines)))


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse a second `--configfile`, for which Snakemake drops the first.

    Args:
        arguments: of the command line.

    Raises:
        ValueError: there are two.
    """
    named = [one for one in arguments if re.fullmatch("--configfiles?(=.*)?", one)]
    if len(named) > 1:
        raise ValueError(
            "Of several --configfile Snakemake takes the last alone. Name all files after one: "
            "--configfile ONE.yaml OTHER.yaml"
        )


def complete(config: Values, schema_path: str | Path) -> None:
    """Fill in what datasets, variants and the top level leave out."""
    whole = schema(schema_path)
    of_row = whole["$defs"]["dataset"]["properties"]
    _fill(config, whole["properties"])
    for row in config["datasets"].values():
        _fill(row, of_row)
    of_variant = whole["$defs"]["variant"]
    config["variants"] = {
        name: rows.complete(row, of_variant) for name, row in config["variants"].items()
    }
    for row in config["datasets"].values():
        compared = row.get("variants") or rows.compared_rows(config["variants"])
        row.setdefault("reference", "tiger" if "tiger" in compared else next(iter(compared)))


def resolve(config: Values) -> Table:
    """The settings of every dataset: the defaults, its preset over them, its own values over both.

    Args:
        config: a complete one.

    Returns:
        {dataset: {section: {name: value, or a group of the same form}}}, names sorted.

    Raises:
        ValueError: a row names what does not exist, or values cannot work together.
    """
    variants, datasets = config["variants"], config["datasets"]
    for name, row in variants.items():
        rows.check(name, row, variants)
    resolved = {}
    for dataset, row in datasets.items():
        values = preset(row["preset"], config["presets"], f"datasets.{dataset}.preset")
        resolved[dataset] = sections.overlaid(values, row["settings"])
        agreement.check(dataset, resolved[dataset], variants)
        files = registry.declared("source", row["source"], "FILES")
        _check_digests(dataset, row, files)
        _complete_files(dataset, row["source"], files, resolved[dataset])
        published = "index" in files
        if published and resolved[dataset]["evaluation"]["diversity"] == "latent":
            raise ValueError(
                f"datasets.{dataset}: published semantic IDs come without an RQ-VAE; set "
                "settings.evaluation.diversity to interactions, or to text if there is any."
            )
    for dataset in datasets:
        _check_origin(dataset, datasets)
        _check_comparison(dataset, datasets, variants, resolved)
    return resolved


def _check_origin(dataset: str, datasets: Table, on_the_way: tuple[str, ...] = ()) -> None:
    """Refuse a row that is made of the results of one that does not exist, or of itself."""
    if dataset in on_the_way:
        way = " -> ".join((*on_the_way, dataset))
        raise ValueError(f"datasets.{on_the_way[0]} is made of itself: {way}.")
    row = datasets[dataset]
    files = registry.declared("source", row["source"], "FILES").values()
    if any(file.get("made", "").startswith("results/{category}/") for file in files):
        known(row["category"], datasets, f"datasets.{dataset}.category")
        _check_origin(row["category"], datasets, (*on_the_way, dataset))


def _check_digests(dataset: str, row: Values, files: Table) -> None:
    """Refuse a digest that no download of the dataset would be compared with."""
    published = registry.declared("source", row["source"], "PUBLISHED") or ()
    urls = [
        file["file"].format(**row)
        for file in files.values()
        if "url" in file and row.get("category") in published
    ]
    if wrong := sorted(row["sha256"].keys() - set(urls)):
        raise ValueError(
            f"datasets.{dataset}.sha256: {', '.join(wrong)} would be compared with nothing; "
            f"downloads of this row are: {', '.join(urls) or 'none'}."
        )


def _complete_files(dataset: str, source: str, files: Table, values: Values) -> None:
    """Refuse a source whose file nobody named; without texts, vectors come from interactions."""
    for kind, file in files.items():
        if "setting" not in file or values["sources"][source][file["setting"]] is not None:
            continue
        if not file.get("optional"):
            raise ValueError(
                f"datasets.{dataset}: name the file of {kind} in settings.sources.{source}."
                f"{file['setting']}."
            )
        values["text"]["method"] = "interactions"
        if values["evaluation"]["diversity"] == "text":
            values["evaluation"]["diversity"] = "interactions"


def preset(name: str, presets: Table, what: str, behind: tuple[str, ...] = ()) -> Values:
    """All sections as a preset has them: the defaults, what it extends over them, and itself.

    Args:
        what: the place that names the preset, for the message.
        behind: presets that extend this one, directly or not.

    Raises:
        ValueError: there is no such preset, or it extends itself.
    """
    changed = known(name, presets, what)
    if name in behind:
        raise ValueError(f"{what}: {name} extends itself.")
    if "extends" in changed:
        place = f"presets.{name}.extends"
        base = preset(changed["extends"], presets, place, (*behind, name))
    else:
        base = sections.defaults(sections.tree())
    return sections.overlaid(base, {k: value for k, value in changed.items() if k != "extends"})


@cache
def schema(path: str | Path) -> Values:
    """The schema of the configuration: its file, with the sections that modules declare."""
    whole: Values = yaml.load(Path(path).read_text(encoding="utf-8"), yaml.CSafeLoader)
    definitions = whole["$defs"]
    definitions["sections"] = sections.schema(sections.tree())
    definitions["preset"] = sections.schema(sections.tree())
    definitions["preset"]["properties"]["extends"] = {"type": "string"}
    of_row, sources = definitions["dataset"], registry.names("source")
    of_row["properties"]["source"]["enum"] = sources
    for case, in_parts in zip(of_row["allOf"], (False, True), strict=True):
        of_case = [name for name in sources if _in_parts(name) == in_parts]
        case["if"]["properties"]["source"]["enum"] = of_case
    of_variant = definitions["variant"]["properties"]
    for kind in ("recommender", "network", "loss"):
        of_variant[kind]["enum"] = registry.names(kind)
    of_variant["loss"]["enum"].remove(rows.RANKING)
    definitions["trial"] = sections.schema(sections.tree())
    weight = {key: said for key, said in of_variant["ranking"].items() if key != "default"}
    definitions["trial"]["properties"]["ranking"] = weight
    return whole


def _check_comparison(dataset: str, datasets: Table, variants: Table, resolved: Table) -> None:
    """Refuse a comparison of rows that do not exist, or that are measured on something else."""
    row, reported = datasets[dataset], rows.reported_rows(variants)
    compared = row.get("variants", rows.compared_rows(variants))
    for name in compared:
        other, variant = targets.owner(dataset, name)
        known(other, datasets, f"datasets.{dataset}.variants")
        known(variant, reported, f"datasets.{dataset}.variants")
        here, there = (_measured_on(datasets[one], resolved[one]) for one in (dataset, other))
        if unlike := [what for what in here if here[what] != there.get(what)]:
            raise ValueError(
                f"datasets.{dataset}.variants: {name} is measured on something else; "
                f"{dataset} and {other} must be alike in {', '.join(unlike)}."
            )
    known(row["reference"], dict.fromkeys(compared), f"datasets.{dataset}.reference")


def _measured_on(row: Values, values: Values) -> Values:
    """What two rows must share for their figures to stand side by side."""
    evaluation = values["evaluation"]
    vectors = {"text": ["text"], "latent": ["text", "rqvae"]}.get(evaluation["diversity"], [])
    read = registry.declared("source", row["source"], "READS")
    return {
        "source": row["source"],
        "category": row.get("category"),
        **{f"settings.ingest.{n}": value for n, value in values["ingest"].items() if n in read},
        "settings.decoding.exclude_history": values["decoding"]["exclude_history"],
        "settings.decoding.top": values["decoding"]["top"],
        "settings.evaluation.cutoffs": evaluation["cutoffs"],
        "settings.evaluation.diversity": evaluation["diversity"],
        f"settings.sources.{row['source']}": values["sources"][row["source"]],
        **{f"settings.{name}": values[name] for name in vectors},
    }


def _in_parts(source: str) -> bool:
    """Whether a source has a file for each category."""
    files = registry.declared("source", source, "FILES").values()
    return any("{category}" in file.get("file", file.get("made", "")) for file in files)


def _fill(values: Values, properties: Values) -> None:
    for name, one in properties.items():
        if "default" in one:
            values.setdefault(name, one["default"])
