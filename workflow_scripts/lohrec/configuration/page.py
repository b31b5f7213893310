"""The page of all settings, docs/configuration.md, made from what the modules declare.

python -m lohrec.configuration.page > docs/configuration.md
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from lohrec.configuration import sections, settings
from lohrec.configuration.faults import values
from lohrec.configuration.sections import Setting

HEAD = """# Configuration

Made from the modules that declare the settings, by `make docs`; do not edit it here.

`config/config.yaml` has the datasets and presets, `config/variants.yaml` the variants. A setting
has its default. The dataset's preset goes over the defaults, the `settings` of the dataset's row
over the preset, and the `settings` of the variant's row over all. What stands here as `core` under
the heading `ingest` is written `settings: {ingest: {core: 3}}`. An unknown name and a value out of
its range are errors before the first job.
"""


def text(config: Path) -> str:
    """The page.

    Args:
        config: the folder with config.yaml and schemas.
    """
    presets = yaml.safe_load((config / "config.yaml").read_text(encoding="utf-8"))["presets"]
    whole = settings.schema(config / "schemas/config.schema.yaml")
    schema = whole["$defs"]
    default = sections.flat(sections.defaults(sections.tree()))
    changed: dict[str, dict[str, Any]] = {}
    for name in presets:
        found = sections.flat(settings.preset(name, presets, f"presets.{name}"))
        differ = {place: value for place, value in found.items() if value != default[place]}
        if differ:
            changed[name] = differ
    lines = [HEAD, "## The whole\n", *_keys(whole)]
    lines += ["## Rows of datasets\n", *_keys(schema["dataset"])]
    lines += ["## Rows of variants\n", *_keys(schema["variant"])]
    for section, group in sections.tree().items():
        lines.append(f"## {section}\n")
        heads = ["setting", "default", *changed, "values", "what it is", "declared in"]
        rows = []
        for place, one in _settings(group, ""):
            columns = [f"`{place}`", _code(one.schema["default"])]
            columns += [_changed(differ, f"{section}.{place}") for differ in changed.values()]
            columns += [values(one.schema, _code), one.schema["description"], f"`{one.module}`"]
            rows.append(columns)
        lines += _table(heads, rows)
    return "\n".join(lines)


def _keys(row: dict[str, Any]) -> Iterator[str]:
    required = row.get("required", [])
    rows = [
        [
            f"`{name}`",
            "required" if name in required else _default(one),
            values(one, _code),
            one["description"].strip(),
        ]
        for name, one in row["properties"].items()
    ]
    return _table(["key", "default", "values", "what it is"], rows)


def _settings(group: dict[str, Any], prefix: str) -> Iterator[tuple[str, Setting]]:
    for name, one in group.items():
        if isinstance(one, Setting):
            yield prefix + name, one
        else:
            yield from _settings(one, f"{prefix}{name}.")


def _changed(differ: dict[str, Any], place: str) -> str:
    """What a preset makes of a setting; of one with parts, of all that it changes."""
    if place in differ:
        return _code(differ[place])
    parts = {p.removeprefix(f"{place}."): v for p, v in differ.items() if p.startswith(f"{place}.")}
    return _code(parts) if parts else ""


def _default(one: dict[str, Any]) -> str:
    return _code(one["default"]) if "default" in one else ""


def _code(value: Any) -> str:
    if isinstance(value, dict):
        return "`{" + ", ".join(f"{k}: {json.dumps(v)}" for k, v in value.items()) + "}`"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _table(heads: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + " --- |" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


if __name__ == "__main__":
    sys.stdout.write(text(Path("config")))
