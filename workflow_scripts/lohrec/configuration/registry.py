"""Modules found by name: sources, networks, losses and recommenders, and what they declare."""

import ast
import importlib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

Row = TypeVar("Row")

LIBRARY = Path(__file__).resolve().parent.parent
KINDS = {
    "source": ("data/sources",),
    "network": ("recommender/networks",),
    "loss": ("recommender/losses",),
    "recommender": ("recommender/methods", "recommender/baselines"),
}


def names(kind: str) -> list[str]:
    """The modules of a kind: those that declare SETTINGS, if only empty ones."""
    return sorted(_paths(kind))


def path(kind: str, name: str) -> Path:
    """The file of a module.

    Raises:
        ValueError: there is no such module; the message lists those there are.
    """
    return known(name, _paths(kind), kind)


def declared(kind: str, name: str, what: str) -> Any:
    """A literal that a module assigns at its top, such as SETTINGS; None if it does not.

    The module is read and not imported, so that a workflow is planned without PyTorch.

    Raises:
        ValueError: there is no such module, or what it assigns is no literal.
    """
    return literal(path(kind, name), what)


def load(kind: str, name: str) -> ModuleType:
    """Import a module.

    No import statement leads to it: a rule that calls this names the module's file beside its
    script, so that the hash of its code covers both.

    Raises:
        ValueError: there is no such module; the message lists those there are.
    """
    relative = path(kind, name).relative_to(LIBRARY.parent).with_suffix("")
    return importlib.import_module(".".join(relative.parts))


# Jobs of one row ask for the same literals again and again.
@cache
def literal(file: Path, what: str) -> Any:
    """The literal that a file assigns to the name `what` at its top; None if it does not.

    Callers get one and the same value, and leave it as it is.

    Raises:
        ValueError: what it assigns is no literal.
    """
    value = _assigned(file).get(what)
    if value is None:
        return None
    try:
        return ast.literal_eval(value)
    except ValueError:
        raise ValueError(f"{file}: {what} must be a literal, readable without an import.") from None


def known(name: str, table: Mapping[str, Row], what: str) -> Row:
    """The row `name` of `table`.

    Raises:
        ValueError: there is no such row; the message lists those there are.
    """
    if name not in table:
        raise ValueError(f"{what}: there is no {name!r}. {instead(name, table)}")
    return table[name]


def instead(name: str, among: Iterable[str]) -> str:
    """What a message says after a name that is unknown: the nearest one, and all there are."""
    among = sorted(map(str, among))
    nearest = get_close_matches(str(name), among, n=1)
    return (f"Did you mean {nearest[0]}? " if nearest else "") + f"There is: {', '.join(among)}."


@cache
def _paths(kind: str) -> dict[str, Path]:
    files = [file for folder in KINDS[kind] for file in (LIBRARY / folder).glob("*.py")]
    return {file.stem: file for file in sorted(files) if "SETTINGS" in _assigned(file)}


@cache
def _assigned(file: Path) -> dict[str, ast.expr]:
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets: list[ast.expr] = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        if node.value is not None:
            found |= {t.id: node.value for t in targets if isinstance(t, ast.Name)}
    return found
