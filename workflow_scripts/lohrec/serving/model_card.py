"""The card of a recommender as hubs show it: what it is, of which data, how made, how good."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from huggingface_hub import EvalResult, ModelCardData

from lohrec.common.artefacts import read_json
from lohrec.evaluation import bootstrap, per_user, recommendations, tables
from lohrec.recommender.places import FILE, home
from lohrec.serving import description

CARD = "README.md"
TAGS = ["recommendation", "sequential-recommendation", "generative-retrieval"]
SHOWN = ("kind", "items", "train interactions", "reads", "search", "files")
RESAMPLES = 1000
USE = """\
Fetched by its name, OWNER/NAME on the hub, or from a folder that holds these files:

```sh
lohrec recommend --model hub:OWNER/NAME --histories users.csv --output lists.csv
lohrec show hub:OWNER/NAME
```

```python
import lohrec

recommender = lohrec.Recommender.load("hub:OWNER/NAME")
```

Items go in and come out by the names in `items.json`. Nothing that these files hold is run."""


class Data(NamedTuple):
    """What a recommender was trained on.

    Attributes:
        source: a module of data/sources.
        category: the part of the source, if it has parts.
        terms: who may use the data, and how.
        statistics: users, items and interactions, by name.
    """

    source: str
    category: str | None
    terms: str
    statistics: Mapping[str, float]


class Measured(NamedTuple):
    """How good a recommender is on the test set.

    Attributes:
        own_items: whether lists have the items of a user's history: "left out" or "kept".
        figures: {metric: {mean, low, high}}.
    """

    own_items: str
    figures: Mapping[str, Mapping[str, float]]


def measured(path: str | Path) -> Measured:
    """Means over the test users of one seed, with 95 % intervals over users.

    Args:
        path: per_user.parquet.
    """
    _, values = per_user.read([path], "test")
    names = [name for name in values if not name.startswith("sid_")]
    table = np.concatenate([values[name] for name in names]).T  # (users, metrics)
    low, high = bootstrap.interval(bootstrap.resampled_means(table, RESAMPLES, 0))
    rows = zip(names, table.mean(0), low, high, strict=True)
    excluded = recommendations.excludes_history(recommendations.splits(path))
    return Measured(
        recommendations.own_items("test", {"exclude_history": excluded}),
        {name: {"mean": float(m), "low": float(a), "high": float(b)} for name, m, a, b in rows},
    )


def text(model: str | Path, data: Data | None = None, found: Measured | None = None) -> str:
    """The card: Markdown under the header of YAML that hubs read.

    Args:
        model: the folder of a recommender.
        data: what it was trained on, where that is known.
        found: what `measured` gives, where it was evaluated.
    """
    made = read_json(home(model) / FILE)["made"]
    name = (
        " ".join(str(made[key]) for key in ("dataset", "variant") if key in made) or "recommender"
    )
    said = dict(description.lines(model))
    parts = {
        f"# {name}": f"A recommender of LOHRec, {said.get('made as', 'made outside a workflow')}.",
        "## Use": USE,
        "## What it is": "\n".join(f"- {key}: {said[key]}" for key in SHOWN if key in said),
        "## Data": _of_data(data),
        "## Figures": _of_figures(found),
        "## How it was made": _of_making(made, said),
    }
    body = "\n\n".join(f"{title}\n\n{part}" for title, part in parts.items())
    return f"---\n{_header(name, made, found)}\n---\n\n{body}\n"


def _of_data(data: Data | None) -> str:
    if data is None:
        return "Not told: the recommender was not made by a row of a workflow."
    counts = {n: data.statistics[n] for n in ("users", "items", "interactions")}
    said = ", ".join(f"{count:,.0f} {n}" for n, count in counts.items())
    part = f", {data.category}" if data.category else ""
    return f"- source: {data.source}{part}\n- {said}\n- terms: {data.terms}"


def _of_figures(found: Measured | None) -> str:
    if found is None:
        return "None: it was not evaluated."
    rows = [
        [tables.label(name), f"{f['mean']:.4f}", f"{f['low']:.4f} to {f['high']:.4f}"]
        for name, f in found.figures.items()
    ]
    return (
        "On the test split: the last item of every user, which no training has seen. Items of the "
        f"user's own history are {found.own_items}. Intervals are of 95 %, over users; how "
        "trainings with other seeds differ is not in them.\n\n"
        + tables.markdown(["", "mean", "interval"], rows)
    )


def _of_making(made: Mapping[str, Any], said: Mapping[str, str]) -> str:
    settings = yaml.safe_dump(made.get("settings", {}), sort_keys=False).strip()
    versions = said.get("made with", "versions not told")
    machine = f" on {said['made on']}" if "made on" in said else ""
    return f"With {versions}{machine}, and these settings:\n\n```yaml\n{settings}\n```"


def _header(name: str, made: Mapping[str, Any], found: Measured | None) -> str:
    dataset = str(made.get("dataset", "unknown"))
    results = [
        EvalResult("recommendation", dataset, dataset, metric, figure["mean"], dataset_split="test")
        for metric, figure in (found.figures.items() if found else ())
    ]
    card = ModelCardData(
        model_name=name,
        library_name="lohrec",
        tags=TAGS,
        license="other",
        license_name="see-the-terms-of-the-data",
        eval_results=results or None,
    )
    return card.to_yaml().strip()
