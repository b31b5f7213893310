"""What a saved recommender is and how it was made, in lines, read without its weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lohrec.common.artefacts import read_json
from lohrec.data.catalogue import Catalogue
from lohrec.evaluation.recommendations import own_items
from lohrec.recommender.places import FILE, home
from lohrec.recommender.recommender import CURVE, ITEMS

METRICS = "metrics.json"
SHOWN = ("recall@5", "recall@10", "ndcg@5", "ndcg@10")


def lines(folder: str | Path) -> list[tuple[str, str]]:
    """What there is to say: a word, and what it says.

    Raises:
        FileNotFoundError: the folder holds no recommender.
    """
    folder = home(folder)
    saved = read_json(folder / FILE)
    made, catalogue = saved["made"], Catalogue.load(folder / ITEMS)
    parts = [saved["recommender"], *(f"{k} {v}" for k, v in saved["saved"].items() if _short(v))]
    titled = sum(map(bool, catalogue.titles))
    size = sum((folder / name).stat().st_size for name in saved["sha256"])
    found = [
        ("folder", str(folder)),
        ("kind", ", ".join(parts)),
        ("made as", _pairs({k: made[k] for k in ("dataset", "variant", "seed") if k in made})),
        ("made with", _pairs(made.get("versions", {}))),
        ("made on", made.get("machine", "")),
        ("items", f"{len(catalogue):,}, {titled:,} with a title, {_added(made)}"),
        ("train interactions", f"{int(catalogue.count.sum()):,}"),
        ("reads", f"the last {saved['history']} items of a history"),
        ("search", _pairs(saved["decoding"])),
        ("files", f"{len(saved['sha256']) + 1}, {size / 1e6:.1f} MB"),
    ]
    if (folder / CURVE).is_file():
        found.append(("dev set, while trained", _kept(read_json(folder / CURVE))))
    found += _measured(folder)
    found += [(f"settings, {name}", text) for name, text in _settings(made.get("settings", {}))]
    return [(name, text) for name, text in found if text]


def _added(made: Mapping[str, Any]) -> str:
    return f"{made.get('added_items', 0):,} of them added after the training"


def _kept(curve: list[dict[str, Any]]) -> str:
    """The dev figures of the state that a training kept."""
    row = ([row for row in curve if row.get("kept")] or curve)[-1]
    figures = {n.removeprefix("dev_"): round(v, 4) for n, v in row.items() if n.startswith("dev_")}
    return _pairs(figures | {"step": row.get("step")})


def metrics(folder: Path) -> Path | None:
    """The metrics.json of a recommender: in its folder or, where a run leaves it, above the seeds.

    What a run has left is of the recommender that it trained, before items were added.

    Args:
        folder: as `home` gives it.
    """
    made, folder = read_json(folder / FILE)["made"], folder.resolve()
    above = [] if made.get("added_items") else [folder.parent, folder.parent.parent]
    for place in (folder, *above):
        if (path := place / METRICS).is_file():
            found = read_json(path)
            # The figures of another row are none of this one's.
            of_row = isinstance(found, dict) and found
            if of_row and all(found.get(n) == made.get(n) for n in ("dataset", "variant")):
                return path
    return None


def _measured(folder: Path) -> list[tuple[str, str]]:
    """The test figures, where there are any."""
    if not (path := metrics(folder)):
        return []
    found = read_json(path)
    figures = found.get("test", {})
    shown = {n: f"{figures[n]['mean']:.4f}" for n in SHOWN if n in figures}
    seeds = len(found.get("seeds", []))
    said = f"test set, {seeds} seed{'s' * (seeds != 1)}"
    return [(said, f"{_pairs(shown)}; own items {own_items('test', found)}")]


def _settings(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A line a group; what stands in none is together."""
    alone = {name: value for name, value in settings.items() if _short(value)}
    groups = {name: value for name, value in settings.items() if isinstance(value, dict)}
    return [("alone", _pairs(alone)), *((n, _pairs(group)) for n, group in groups.items())]


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)


def _short(value: Any) -> bool:
    return isinstance(value, str | int | float)
