"""The report of a dataset: its sections, and the page that they make."""

import base64
import json
import mimetypes
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

from lohrec.common import artefacts
from lohrec.evaluation.report import analyses, cost, paper, slices
from lohrec.evaluation.report.accuracy import KINDS, PRINTED, Accuracy
from lohrec.evaluation.report.tables import Figure, Section, Table, cells

TRAINING = (
    "First seed: the loss that is minimised, the mean loss a codeword of the dev set's true items "
    "(Eq. 8), and NDCG@10 of the dev set, by step. The mark is the state that was kept."
)
CURVES = "Losses and NDCG@10 in training"


def sections(inputs: dict[str, Any], run: dict[str, Any], benchmarks: str | Path) -> list[Section]:
    """All sections for which there are artefacts.

    Args:
        inputs: {name: path} of the artefacts, `metrics` a path for each of run["measured"],
            `models` one for each seed of each row.
        run: what was run; see rules/report.smk.
        benchmarks: folder of what Snakemake measured.
    """
    found = {
        name.removesuffix("_json"): artefacts.read_json(path)
        for name, path in inputs.items()
        if isinstance(path, str) and path.endswith(".json")
    }
    with open(inputs["paper"], encoding="utf-8") as file:
        printed = paper.of_category(yaml.safe_load(file), run["category"])
    of = {
        name: artefacts.read_json(path)
        for name, path in zip(run["measured"], inputs["metrics"], strict=True)
    }
    accuracy = Accuracy(found["comparison"], "test")
    Accuracy(found["comparison"], "dev")  # checks it
    made = of[run["reference"]]
    machines = made_on(run["seeds"], inputs["models"])
    result = [what_was_run(run, found["statistics"], accuracy, machines)]
    result += [accuracy.headline(inputs["gains"]), accuracy.table_1()]
    tests = [Accuracy(found["comparison"], n) for n in found["comparison"]["splits"] if n != "dev"]
    result += [one.table_1() for one in tests if one.split != "test"]
    if printed and set(PRINTED) <= set(accuracy.metrics):
        (like_the_paper,) = (one for one in tests if one.own == "kept")
        result.append(like_the_paper.beside_the_paper(printed["table_1"]))
    result.append(slices.section(accuracy, inputs["slices_figure"]))
    if run["ablation"]:
        table_2 = printed["table_2"] if printed else {}
        ours = {
            row: figures
            for method, figures in table_2.items()
            if (row := paper.our_row(method, run["ablation"]))
        }
        result.append(analyses.ablation(of, run["ablation"], ours))
    for name, section in (
        ("beam_widths", partial(analyses.widths, accuracy.diversity)),
        ("embeddings", analyses.embeddings),
        ("alignment", analyses.alignment),
    ):
        if name in found:
            result.append(section(found[name], inputs[f"{name}_figure"]))
    if "cases" in found:
        result.append(analyses.cases(found["cases"]))
    if run["priors"]:
        held = {prior: found[f"prior_{prior}"] for prior in run["priors"].values()}
        result.append(analyses.priors(of, run["priors"], held))
    result.append(analyses.statistics(found["statistics"], printed))
    if "quality" in found:
        result.append(analyses.codebooks(found["quality"]))
    if "training_figure" in inputs:
        of_training = inputs["training_figure"]
        result.append(
            Section("training", "Training", [TRAINING], [], [Figure(of_training, CURVES)])
        )
    if figures := {n: path for n, path in inputs.items() if n.startswith("sweep_")}:
        result.append(single_settings(figures, run["sweeps"]))
    if measured := cost.section(benchmarks):
        result.append(measured)
    result.append(how_it_was_made(run, made))
    return result


def made_on(seeds: Mapping[str, Sequence[int]], models: Sequence[str]) -> dict[str, str]:
    """{row: the machines that wrote its folders}, as their recommender.json say.

    Args:
        seeds: {row: its seeds}.
        models: a path for each seed of each row, in this order.
    """
    said = (artefacts.read_json(path)["made"].get("machine", "-") for path in models)
    of = {name: {next(said) for _ in own} for name, own in seeds.items()}
    return {name: ", ".join(sorted(machines)) for name, machines in of.items()}


def what_was_run(
    run: dict[str, Any],
    statistics: dict[str, Any],
    accuracy: Accuracy,
    machines: Mapping[str, str],
) -> Section:
    """The data, the preset, and the rows with their seeds."""
    category = f", category {run['category']}" if run["category"] else ""
    text = [
        f"{statistics['users']:,} users, {statistics['items']:,} items and "
        f"{statistics['interactions']:,} interactions of the source {run['source']}{category}; "
        f"preset {run['preset']}. Each user's last item is in the test set, the one before in the "
        "dev set, all others are trained on."
    ]
    rows = [
        cells(
            [
                name,
                KINDS[accuracy.kinds[name]],
                _inline({k: v for k, v in row.items() if k != "optional" and v not in (None, {})}),
                ", ".join(map(str, run["seeds"][name])),
                machines[name],
            ]
        )
        for name, row in run["variants"].items()
    ]
    header = ["method", "kind", "its row", "seeds", "made on"]
    note = (
        "Rows are those of variants.yaml, completed. Made on: what wrote the row's folder; of an "
        "ensemble, a cascade or a language model others may have trained the parts."
    )
    table = Table("run", "Methods", header, rows, note, words=True)
    return Section("run", "What was run", text, [table])


def single_settings(figures: dict[str, str], titles: dict[str, str]) -> Section:
    """What single settings of rows do.

    Args:
        figures: {"sweep_NAME": path}.
        titles: {NAME: what it shows}.
    """
    text = [
        "A row with one setting changed at a time. Bars are 95 % intervals of the difference from "
        "the marked value, over users and, where there are several, over seeds, not corrected for "
        "how many there are; the figures themselves are in `sweeps/` beside this report. Who "
        "chooses a value looks at the dev set alone."
    ]
    drawn = [Figure(path, titles[name.removeprefix("sweep_")]) for name, path in figures.items()]
    return Section("sweeps", "Single settings", text, [], drawn)


def how_it_was_made(run: dict[str, Any], made: dict[str, Any]) -> Section:
    """Versions, the settings of the reference, and what each row's fitting read of its own."""
    versions = [cells([name, version or "-"]) for name, version in made["versions"].items()]
    settings = [
        cells([section, _inline(values)])
        for section, values in made["config"]["settings"].items()
        if values
    ]
    rows = [cells([name, _inline(values)]) for name, values in run["settings"].items() if values]
    title = f"Settings of {run['reference']}"
    shown = [
        Table("versions", "Versions", ["package", "version"], versions, words=True),
        Table("settings", title, ["section", "values"], settings, words=True, folded=True),
        Table("rows", "Settings of all rows", ["row", "values"], rows, words=True, folded=True),
    ]
    text = ["As written into `metrics.json` of the reference when it was measured."]
    return Section("made", "How it was made", text, shown)


def render(template: str | Path, title: str, parts: Sequence[Section]) -> str:
    """The page, complete in itself: figures are embedded, nothing is fetched.

    Args:
        template: of jinja2.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["embedded"] = embedded
    page = environment.from_string(Path(template).read_text(encoding="utf-8"))
    return page.render(title=title, sections=parts)


def embedded(path: str | Path) -> str:
    """A file as a data URL."""
    kind, _ = mimetypes.guess_type(path)
    return f"data:{kind};base64,{base64.b64encode(Path(path).read_bytes()).decode()}"


def _inline(values: Any) -> str:
    """Settings on one line."""
    return json.dumps(values).replace('"', "")[1:-1]
