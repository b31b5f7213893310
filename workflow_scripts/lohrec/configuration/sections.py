"""Which module declares the settings of which section, and their default values.

A module declares its settings where it reads them, in a literal at its top:

    SETTINGS = {name: {"type": ..., "minimum": ..., "default": ..., "description": ...}}

Each is a property of a JSON schema with a default; a dictionary without one is a group of settings.
"multiple_of" names a setting of the same group that has to divide it, "times" how often.
A later module of a section may give a setting of an earlier one another default. A module that is
found by name may have groups of settings that others declare, and then its own over them:

    SHARED = [groups of GROUPS]
"""

import copy
from collections.abc import Iterable, Iterator
from functools import cache, reduce
from operator import getitem
from typing import Any, NamedTuple

from lohrec.configuration import registry

Values = dict[str, Any]
Table = dict[str, Values]  # rows or sections by name

# {section: kind of the modules that each have a group in it}
OF_KIND = {
    "sources": "source",
    "networks": "network",
    "losses": "loss",
    "recommenders": "recommender",
}
# {section, or group of it: modules that declare its settings}
DECLARED_IN = {
    "ingest": ("data/interactions", "data/sequences"),
    "text": ("identifiers/text_vectors",),
    "rqvae": ("identifiers/rqvae", "identifiers/rqvae_training"),
    "collisions": ("identifiers/collisions",),
    "collaborative": ("identifiers/collaborative",),
    "teacher": ("teacher/model",),
    "teacher.training": ("configuration/training_settings", "teacher/training"),
    "adaptation": ("teacher/adaptation",),
    "tasks": ("teacher/text_tasks",),
    "sharding": ("teacher/sharding",),
    "candidates": ("teacher/beams", "recommender/priors"),
    "probabilities": ("teacher/probabilities",),
    "lessons": ("recommender/lessons",),
    "training": ("configuration/training_settings", "recommender/training", "common/averaging"),
    "decoding": ("recommender/decoding",),
    "evaluation": ("evaluation/metrics", "evaluation/diversity", "evaluation/bootstrap"),
    "": ("configuration/workflow",),
}
# {group that modules found by name share: modules that declare its settings}
GROUPS = {
    "training": (
        "configuration/training_settings", "common/averaging", "recommender/item_training",
    ),
}  # fmt: skip


class Setting(NamedTuple):
    """What a module declares of one setting.

    Attributes:
        schema: a JSON schema of its values, with a default and a description.
        module: the file that declares it, below the library's folder.
    """

    schema: dict[str, Any]
    module: str


@cache
def tree() -> dict[str, Any]:
    """{section: {name: Setting, or a group of the same form}}.

    Raises:
        ValueError: a declaration is missing, or is no literal.
    """
    found: dict[str, Any] = {}
    for section, kind in OF_KIND.items():
        for name in registry.names(kind):
            file = registry.path(kind, name)
            module = file.relative_to(registry.LIBRARY).as_posix()
            own = found.setdefault(section, {}).setdefault(name, {})
            for group in registry.declared(kind, name, "SHARED") or ():
                _declare_all(own.setdefault(group, {}), GROUPS[group])
            _declare(own, registry.declared(kind, name, "SETTINGS"), module)
    for place, modules in DECLARED_IN.items():
        group = found
        for name in filter(None, place.split(".")):
            group = group.setdefault(name, {})
        _declare_all(group, modules)
    return found


def schema(group: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema of a part of the tree; whatever it holds may be left out."""
    properties = {
        name: one.schema if isinstance(one, Setting) else schema(one) for name, one in group.items()
    }
    return {"type": "object", "additionalProperties": False, "properties": properties}


def defaults(group: dict[str, Any]) -> dict[str, Any]:
    """The default values of a part of the tree."""
    return {
        name: copy.deepcopy(one.schema["default"]) if isinstance(one, Setting) else defaults(one)
        for name, one in group.items()
    }


def overlaid(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with what `over` says of single settings.

    Names are sorted, because the record of a finished job compares the text of its settings.
    """
    found = {}
    for name, value in sorted((base | over).items()):
        below = base.get(name)
        if isinstance(value, dict):
            value = overlaid(below if isinstance(below, dict) else {}, value)
        found[name] = value
    return found


def check_multiples(values: Values, what: str) -> None:
    """Refuse a setting that is no multiple of another where it has to be one.

    Args:
        values: all sections.
        what: whose they are, for the message.

    Raises:
        ValueError: it is none.
    """
    for (*groups, name), other, times in _multiples(tree()):
        group: Values = reduce(getitem, groups, values)
        if group[name] % (times * group[other]):
            place, so_many = ".".join(groups), f"{times} times " if times > 1 else ""
            raise ValueError(
                f"{what}: {place}.{name} ({group[name]}) is no multiple of {so_many}"
                f"{place}.{other} ({group[other]}): change one of them."
            )


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"section.name": value} of nested dictionaries."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _multiples(group: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str, int]]:
    """Of a part of the tree: the place of each that declares "multiple_of", what, and "times"."""
    for name, one in group.items():
        if not isinstance(one, Setting):
            yield from (((name, *place), other, times) for place, other, times in _multiples(one))
        elif "multiple_of" in one.schema:
            yield (name,), one.schema["multiple_of"], one.schema.get("times", 1)


def _declare_all(group: dict[str, Any], modules: Iterable[str]) -> None:
    for module in modules:
        file = registry.LIBRARY / f"{module}.py"
        _declare(group, registry.literal(file, "SETTINGS"), f"{module}.py")


def _declare(group: dict[str, Any], declared: dict[str, Any], module: str) -> None:
    for name, one in declared.items():
        if "default" not in one:
            _declare(group.setdefault(name, {}), one, module)
        elif name in group:
            group[name] = Setting(group[name].schema | one, group[name].module)
        else:
            group[name] = Setting(one, module)
