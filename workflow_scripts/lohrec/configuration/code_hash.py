"""What a script's behaviour depends on: hashes of its code and of every module it imports here."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path


def closure(script: str | Path, root: str | Path) -> dict[str, str]:
    """Hash the code of `script` and of all modules below `root` that it imports, at any depth.

    Comments, docstrings, layout and file times do not count. Only import statements are followed,
    wherever they stand; a module named in a string is not seen.

    Returns:
        {path relative to root: hexadecimal hash}, sorted by path.

    Raises:
        FileNotFoundError: there is no such script.
        SyntaxError: a file is no Python; the error names it.
    """
    root = Path(root)
    todo, hashes = [Path(script)], {}
    while todo:
        path = todo.pop()
        name = path.relative_to(root).as_posix()
        if name not in hashes:
            hashes[name], modules = _read(path)
            todo += [found for module in modules for found in _files(module, root, path)]
    return dict(sorted(hashes.items()))


@cache
def _read(path: Path) -> tuple[str, tuple[str, ...]]:
    """The hash of a file's code, and the modules that its import statements name."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    modules = tuple(_imported(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                node.body = body[1:] or [ast.Pass()]
    # Unparsed code, unlike a dump of the tree, is hardly a matter of the Python version.
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16], modules


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
