"""What a script's behaviour depends on: hashes of its code and of every module it imports here."""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

# What another version has recorded does not count.
PROGRAM = Path(__file__).read_bytes()


def closure(
    starts: Iterable[str | Path], root: str | Path, record: Path | None = None
) -> dict[str, str]:
    """Hash the code of `starts` and of all modules below `root` that they import, at any depth.

    Comments, docstrings, layout and file times do not count, nor do declarations of settings, whose
    values reach a job as parameters, and what only a type checker reads. Only import statements are
    followed, wherever they stand; a module that is found by name is one of `starts`.

    Args:
        starts: a script, and the modules that the configuration names for it.
        root: the folder that modules are imported from.
        record: a file that keeps what was read of each content, so that the next start parses only
            what has changed; None for none.

    Returns:
        {path relative to root: hexadecimal hash}, sorted by path.

    Raises:
        FileNotFoundError: there is no such file.
        SyntaxError: a file is no Python; the error names it.
    """
    return dict(_closure(tuple(map(Path, starts)), Path(root), record))


# Jobs of one rule ask for the same files again and again.
@cache
def _closure(starts: tuple[Path, ...], root: Path, record: Path | None) -> dict[str, str]:
    todo, hashes = list(starts), {}
    while todo:
        path = todo.pop()
        name = path.relative_to(root).as_posix()
        if name not in hashes:
            hashes[name], imported = _read(path, root, record)
            todo += imported
    return dict(sorted(hashes.items()))


@cache
def _read(path: Path, root: Path, record: Path | None) -> tuple[str, list[Path]]:
    """The hash of a file's code, and the files that its import statements run."""
    source = path.read_bytes()
    content = hashlib.sha256(PROGRAM + source).hexdigest()
    known = _recorded(record)
    if content not in known:
        tree = _Behaviour().visit(ast.parse(source, filename=str(path)))
        # Unparsed code, unlike a dump of the tree, is hardly a matter of the Python version.
        digest = hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16]
        known[content] = digest, list(dict.fromkeys(_imported(tree)))
        if record is not None:
            with suppress(OSError), open(record, "a", encoding="utf-8") as file:
                file.write(json.dumps([content, *known[content]]) + "\n")
    digest, modules = known[content]
    return digest, [found for module in modules for found in _files(module, root, path)]


@cache
def _recorded(record: Path | None) -> dict[str, tuple[str, list[str]]]:
    """{digest of a content: hash of its code, modules that it imports}, less damaged lines."""
    known: dict[str, tuple[str, list[str]]] = {}
    if record is not None and record.exists():
        for line in record.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(TypeError, ValueError):
                content, digest, modules = json.loads(line)
                known[content] = digest, modules
    return known


class _Behaviour(ast.NodeTransformer):
    """Takes out of a module what its behaviour does not depend on."""

    def visit_Module(self, node: ast.Module) -> ast.AST:
        node.body = [one for one in node.body if not _declares_settings(one)]
        return self._without_docstring(node)

    def _without_docstring(self, node: Any) -> ast.AST:
        body = node.body
        if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            node.body = body[1:] or [ast.Pass()]
        return self.generic_visit(node)

    visit_ClassDef = visit_FunctionDef = visit_AsyncFunctionDef = _without_docstring

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            self.generic_visit(node)
            return node.orelse
        return self.generic_visit(node)


def _declares_settings(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(isinstance(target, ast.Name) and target.id == "SETTINGS" for target in targets)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield base
            # `from package import name`: the name may be a module, too.
            separator = "." if node.module else ""
            yield from (f"{base}{separator}{alias.name}" for alias in node.names)


def _files(module: str, root: Path, importer: Path) -> Iterator[Path]:
    """The files below `root` that importing `module` runs: the packages above it, and itself."""
    relative = module.lstrip(".")
    level = len(module) - len(relative)
    folder = importer.parents[level - 1] if level else root
    for part in relative.split("."):
        if (file := folder / f"{part}.py").is_file():
            yield file
        folder /= part
        if (file := folder / "__init__.py").is_file():
            yield file
