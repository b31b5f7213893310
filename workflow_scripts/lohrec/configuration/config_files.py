"""Where in the configuration's files a value stands, and what a file says twice."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

Place = tuple[str, ...]


def where(files: Iterable[str | Path], place: Place, value: Any) -> str | None:
    """File and line of the value at a place, or of the nearest group around it.

    Args:
        files: in the order in which they are laid over one another.
        value: that stands there. None is returned where the command line said it instead.
    """
    found: dict[Place, tuple[str, int, yaml.Node]] = {}
    for file in files:
        found |= {p: (_short(file), line, node) for p, line, node in _nodes(_tree(file))}
    near = next((place[:n] for n in range(len(place), 0, -1) if place[:n] in found), None)
    if near is None:
        return None
    file, line, node = found[near]
    if near == place and isinstance(node, yaml.ScalarNode):
        written = yaml.safe_load(yaml.serialize(node))
        if written != value and written == written:
            return None
    return f"{file}, line {line}"


def check_once(files: Iterable[str | Path]) -> None:
    """Refuse a key that is twice in one group: YAML would take the last without a word.

    Raises:
        ValueError: with file, key and both lines.
    """
    for file in files:
        pending = [_tree(file)]
        while pending:
            node = pending.pop()
            pending += [one for one in _below(node) if one is not None]
            lines: dict[str, int] = {}
            for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
                line = key.start_mark.line + 1
                if key.value in lines and key.value != "<<":
                    raise ValueError(
                        f"{_short(file)} has {key.value!r} twice in one group, in lines "
                        f"{lines[key.value]} and {line}, and YAML would take the last. Keep one."
                    )
                lines[str(key.value)] = line


def _tree(file: str | Path) -> yaml.Node | None:
    """The nodes of a file; none of JSON that is no YAML."""
    try:
        with open(file, encoding="utf-8") as stream:
            return yaml.compose(stream, yaml.CSafeLoader)
    except yaml.YAMLError:
        return None


def _short(file: str | Path) -> str:
    """Its path from here, if it is below."""
    here = Path.cwd()
    return str(Path(file).relative_to(here) if Path(file).is_relative_to(here) else file)


def _below(node: yaml.Node | None) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [value for _, value in node.value]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _nodes(node: yaml.Node | None, place: Place = ()) -> Iterator[tuple[Place, int, yaml.Node]]:
    """Place, line from 1 and node of all that is below one."""
    if isinstance(node, yaml.MappingNode):
        named = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        named = [(str(n), value, value) for n, value in enumerate(node.value)]
    else:
        return
    for name, start, value in named:
        yield (*place, name), start.start_mark.line + 1, value
        yield from _nodes(value, (*place, name))
