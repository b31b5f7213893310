"""What the configuration asks for, and errors that name what it could have asked for."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

# What a row of variants may say, by its recommender.
TRAINING = {"target", "label", "generation", "rank", "prior", "start_from", "generator"}
READ_BY = {
    "generator": TRAINING,
    None: TRAINING,
    "teacher": {"constrained"},
    "popularity": set(),
    "cascade": {"retriever", "ranker"},
}
# Where a row of variants names another.
PARTS = ("start_from", "retriever", "ranker")
# What a row that starts from another row's model cannot have otherwise.
ARCHITECTURE = (
    "d_model", "d_ff", "heads", "d_kv", "layers", "decoder_layers", "dropout", "codewords",
    "causal_encoder",
)  # fmt: skip


def check(config: dict, schema_path: str | Path) -> None:
    """Compare a configuration, before its defaults are filled in, with its schema.

    Raises:
        ValueError: all the places where it breaks the schema, and what each place may hold.
    """
    lines = []
    for error in Draft202012Validator(_schema(schema_path)).iter_errors(config):
        place = ".".join(map(str, error.absolute_path)) or "the top level"
        if error.validator == "additionalProperties":
            names = error.schema.get("properties", {})
            lines += [
                f"{place}: unknown key {key!r}. {_instead(key, names)}"
                for key in error.instance
                if key not in names
            ]
        else:
            lines.append(f"{place}: {error.message[:300]}")
    for name, row in config["variants"].items() if not lines else ():
        recommender = row.get("recommender", "generator")
        if idle := sorted(row.keys() - {"recommender"} - READ_BY[recommender]):
            lines.append(
                f"variants.{name}: {', '.join(idle)} would have no effect with the recommender "
                f"{recommender or 'null'}"
            )
    if lines:
        raise ValueError("The configuration has errors.\n  " + "\n  ".join(sorted(lines)))


def resolve(config: dict, schema_path: str | Path) -> dict[str, dict[str, dict]]:
    """The settings of every dataset: its preset's sections with the row's own values over them.

    Returns:
        {dataset: {section: {name: value}}}. Names are sorted, because the record of a finished job
        compares the text of its settings.

    Raises:
        ValueError: a section of a preset lacks a setting, or a row names what does not exist.
    """
    definitions = _schema(schema_path)["$defs"]
    sections = definitions["sections"]["properties"]
    for name, preset in config["presets"].items():
        for section in sections:
            names = definitions[section].get("properties", ())
            if missing := sorted(set(names) - set(preset.get(section, {}))):
                raise ValueError(f"presets.{name}.{section} lacks {', '.join(missing)}.")

    variants = config["variants"]
    reported = {name: row for name, row in variants.items() if row["recommender"]}
    for name, row in variants.items():
        for role in PARTS:
            if row.get(role):
                known(row[role], _trained_rows(variants), f"variants.{name}.{role}")
        if wrong := sorted(unread(row) & row["generator"].keys()):
            raise ValueError(
                f"variants.{name}.generator: {', '.join(wrong)} would have no effect: a row reads "
                "the warm_ values if it starts from another row's model and the plain ones if not, "
                "smoothing if its target is smoothed, mixture if it is the teacher, and margin, "
                "reduction and ranked_target if it has a rank."
            )

    resolved = {}
    for dataset, row in config["datasets"].items():
        preset = known(row["preset"], config["presets"], f"datasets.{dataset}.preset")
        resolved[dataset] = {
            section: _merged(preset[section], row["settings"].get(section, {}))
            for section in sections
        }
        _check_together(dataset, resolved[dataset], variants)
        if row["source"] == "lcrec" and resolved[dataset]["evaluation"]["diversity"] == "latent":
            raise ValueError(
                f"datasets.{dataset}: published semantic IDs come without an RQ-VAE; set "
                "settings.evaluation.diversity to interactions, or to text if there is any."
            )
    for dataset, row in config["datasets"].items():
        compared = row.get("variants", reported)
        for name in compared:
            other, variant = owner(dataset, name)
            known(other, config["datasets"], f"datasets.{dataset}.variants")
            known(variant, reported, f"datasets.{dataset}.variants")
            own, its = (
                _measured_on(config["datasets"][one], resolved[one]) for one in (dataset, other)
            )
            if unlike := [what for what in own if own[what] != its.get(what)]:
                raise ValueError(
                    f"datasets.{dataset}.variants: {name} is measured on something else; "
                    f"{dataset} and {other} must be alike in {', '.join(unlike)}."
                )
        known(row["reference"], dict.fromkeys(compared), f"datasets.{dataset}.reference")
    return resolved


def unread(variant: dict) -> set[str]:
    """Settings of the section `generator` that have no effect on a row's training."""
    names = {f"{'' if variant['start_from'] else 'warm_'}{n}" for n in ("epochs", "learning_rate")}
    names |= set() if variant["rank"] else {"margin", "reduction", "ranked_target"}
    names |= set() if variant["target"] == "smoothed" else {"smoothing"}
    return names | (set() if variant["target"] == "teacher" else {"mixture"})


def rows_behind(name: str, variants: dict) -> dict[str, dict]:
    """A row of variants, and all rows whose models it starts from or is made of."""
    row = variants[name]
    found = {name: row}
    for role in PARTS:
        if row.get(role):
            found |= rows_behind(row[role], variants)
    return found


def _measured_on(row: dict, sections: dict[str, dict]) -> dict:
    """What two rows must share for their figures to stand side by side."""
    evaluation = sections["evaluation"]
    vectors = {"text": ["text"], "latent": ["text", "rqvae"]}.get(evaluation["diversity"], [])
    simulation = ["simulation"] if row["source"] == "simulated" else []
    return {
        "source": row["source"],
        "category": row.get("category"),
        "settings.ingest.core": sections["ingest"]["core"],
        "settings.evaluation.cutoffs": evaluation["cutoffs"],
        "settings.evaluation.diversity": evaluation["diversity"],
        **{f"settings.{name}": sections[name] for name in [*simulation, *vectors]},
    }


def _check_together(dataset: str, sections: dict[str, dict], variants: dict) -> None:
    """Refuse values that are right one by one and cannot work together."""
    of_teacher = sections["probabilities"]["codewords"]
    for name, row in variants.items():
        own = row["generator"].get("codewords", sections["generator"]["codewords"])
        if row["target"] == "teacher" and own != of_teacher:
            raise ValueError(
                f"datasets.{dataset}: generator.codewords ({own}, variant {name}) and "
                f"probabilities.codewords ({of_teacher}) must be alike: one softmax is "
                "taught to the other."
            )
        if row["start_from"]:
            start = variants[row["start_from"]]["generator"]
            differ = [
                key
                for key in ARCHITECTURE
                if {**sections["generator"], **row["generator"]}[key]
                != {**sections["generator"], **start}[key]
            ]
            if differ:
                raise ValueError(
                    f"variants.{name} starts from {row['start_from']} and so has its network: give "
                    f"both the same {', '.join(differ)} in `generator`."
                )
    top, most = sections["decoding"]["top"], max(sections["evaluation"]["cutoffs"])
    if top < most:
        raise ValueError(
            f"datasets.{dataset}: decoding.top ({top}) is below evaluation.cutoffs ({most}): lists "
            "would end before they are measured."
        )
    if (beams := sections["decoding"]["beams"]) < top:
        raise ValueError(
            f"datasets.{dataset}: decoding.beams ({beams}) is below decoding.top ({top}): a beam "
            "search finds no more items than it has beams."
        )
    if sections["text"]["method"] == "llama" and not sections["text"]["model"]:
        raise ValueError(
            f"datasets.{dataset}: text.method is llama, but text.model names no model; give a "
            "folder or a name on the hub."
        )
    tasks = sections["tasks"]
    wanted = [task for task in ("preference", "intention") if tasks["mixture"].get(task)]
    if wanted and not tasks["user_texts"]:
        raise ValueError(
            f"datasets.{dataset}: tasks.mixture asks for {', '.join(wanted)}, which needs a "
            "file in tasks.user_texts."
        )


def owner(dataset: str, name: str) -> tuple[str, str]:
    """The dataset and the variant that a comparison of `dataset` calls `name`.

    "games_words/lcrec" is a variant of another row, which must have the same users.
    """
    other, _, variant = name.rpartition("/")
    return other or dataset, variant


def known(name: str, table: dict, what: str) -> Any:
    """The row `name` of `table`.

    Raises:
        ValueError: there is no such row; the message lists those there are.
    """
    if name not in table:
        raise ValueError(f"{what}: there is no {name!r}. {_instead(name, table)}")
    return table[name]


def check_target(target: str, datasets: dict, variants: dict) -> None:
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
    reported = {name: row for name, row in variants.items() if row["recommender"]}
    if match := re.fullmatch(r"generators/([^/]+)/.*", rest):
        known(match[1], _trained_rows(variants), f"{target}: trained variant")
    elif match := re.fullmatch(r"([^/]+)/(metrics\.json|seed_.*)", rest):
        known(match[1], reported, f"{target}: variant")


def trained(variant: dict) -> bool:
    """Whether a row of variants trains a generator: for itself, or as a part of a cascade."""
    return variant["recommender"] in ("generator", None)


def find_raw(folder: str | Path, name: str) -> str | None:
    """The path of the file `name` in `folder` or in a folder directly below it, if it is there."""
    folder = Path(folder)
    places = [folder / name, *sorted(folder.glob(f"*/{name}"))]
    return next((str(place) for place in places if place.is_file()), None)


def lacking(
    needs: dict[tuple[str, str], dict],
    found: list[float],
    datasets: dict[str, dict],
    resolved: dict[str, dict],
) -> str | None:
    """Say what this machine lacks for the GPU jobs at hand; None if it lacks nothing.

    Args:
        needs: {(dataset, rule): {"count": GPUs, "memory_gb": memory of each}}.
        found: memory of each GPU there is, in GB.
        datasets: rows of the configuration.
        resolved: the settings of every dataset.
    """
    if all(
        need["count"] <= sum(size >= need["memory_gb"] for size in found) for need in needs.values()
    ):
        return None
    lines = []
    for dataset in dict.fromkeys(dataset for dataset, _ in needs):
        row = datasets[dataset]
        lines.append(f"{dataset} (preset {row['preset']}) needs CUDA:")
        lines += [
            f"  {rule}: {need['count']} GPU(s) of {need['memory_gb']:g} GB"
            for (owner, rule), need in needs.items()
            if owner == dataset
        ]
        on_cpu = [
            name
            for name, settings in resolved.items()
            if not any(need["count"] for need in settings["cuda"].values())
        ]
        same = [
            name
            for name in on_cpu
            if datasets[name].get("category") == row.get("category")
            and datasets[name]["source"] == row["source"]
        ]
        lines.append(f"  Without a GPU you can run: {', '.join(same or on_cpu)}")
    sizes = ", ".join(f"{size:.0f} GB" for size in found) or "none"
    return (
        f"The GPUs of this machine do not suffice (found: {sizes}).\n"
        + "\n".join(lines)
        + "\nOn a cluster: snakemake --workflow-profile profiles/slurm ..."
    )


@cache
def _schema(path: str | Path) -> dict:
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def _trained_rows(variants: dict) -> dict:
    return {name: row for name, row in variants.items() if trained(row)}


def _merged(base: Any, over: Any) -> Any:
    if not isinstance(base, dict):
        return over
    both = base | over
    return {key: _merged(base.get(key), both[key]) for key in sorted(both)}


def _instead(name: str, names: Iterable[str]) -> str:
    names = sorted(names)
    nearest = get_close_matches(str(name), names, n=1)
    return (f"Did you mean {nearest[0]}? " if nearest else "") + f"There is: {', '.join(names)}."
