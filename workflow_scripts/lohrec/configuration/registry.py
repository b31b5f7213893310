"""Modules that the configuration names, and what they declare, read without importing them."""

import ast
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

LIBRARY = Path(__file__).resolve().parents[1]
FOLDERS = {"source": "data/sources"}


def names(kind: str) -> list[str]:
    """The modules of a kind, sorted by name."""
    return sorted(path.stem for path in (LIBRARY / FOLDERS[kind]).glob("[!_]*.py"))


def path(kind: str, name: str) -> Path:
    """The file of a module.

    Raises:
        ValueError: there is no such module; the message lists those there are.
    """
    if name not in names(kind):
        raise ValueError(f"There is no {kind} {name!r}. There is: {', '.join(names(kind))}.")
    return LIBRARY / FOLDERS[kind] / f"{name}.py"


def declared(kind: str, name: str, literal: str) -> Any:
    """The value of a module's constant that is a literal; the module is not imported.

    Raises:
        ValueError: the module does not assign a literal to that name.
    """
    for node in ast.parse(path(kind, name).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value:
            targets, value = [node.target], node.value
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id == literal for target in targets):
            return ast.literal_eval(value)
    raise ValueError(f"{path(kind, name)} does not declare {literal}.")


def load(kind: str, name: str) -> ModuleType:
    """Import a module by its name."""
    found = path(kind, name).relative_to(LIBRARY.parent).with_suffix("")
    return importlib.import_module(".".join(found.parts))
