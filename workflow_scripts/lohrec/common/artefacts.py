"""Artefacts appear whole or not at all: every file is written beside its place and then renamed."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import safe_open

from lohrec.common import disk, writers

# Bytes of JSON that are read to tell damage, which takes ten times as much memory.
LOOKED_AT = 2**28
UMASK = os.umask(0)  # it can only be read by being set
os.umask(UMASK)


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename it on success, remove it on failure.

    The temporary name keeps the ending, so that writers that look at it behave the same. Others may
    read the file as far as the process's umask lets them, whatever its writer thought. What is
    renamed is on the disk itself, and what killed writers of `path` left is removed.

    Raises:
        disk.DiskFull: there is no room for it, whatever its writer said of that.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    writers.remove_killed(path)
    temporary = writers.temporary(path)
    try:
        yield temporary
        temporary.chmod(0o666 & ~UMASK)
        disk.sync(temporary)
        os.replace(temporary, path)
        disk.sync(path.parent)
    except Exception as error:
        if said := disk.ran_out(path, error):
            raise said from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it takes its place, as `whole` does.

    Where `path` is a link, that is the place of the folder that it leads to: no folder can be
    renamed to a link.
    """
    path = Path(path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    writers.remove_killed(path)
    temporary = writers.temporary(path)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        for written in (*temporary.rglob("*"), temporary):
            if written.is_file() and written.stat().st_nlink == 1:  # a link's mode is its owner's
                written.chmod(0o666 & ~UMASK)
            disk.sync(written)
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
        disk.sync(path.parent)
    except Exception as error:
        if said := disk.ran_out(path, error):
            raise said from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def link(path: str | Path, to: str | Path) -> None:
    """Have a file, which may be large, in a second place: linked where the file system can."""
    Path(to).parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(os.path.realpath(path), to)  # not a link, which may lead from its own place only
    except OSError:
        shutil.copy2(path, to)


def write_text(path: str | Path, text: str) -> None:
    """Write a text in UTF-8."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON; NaN is refused, since JSON has none."""
    with whole(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        ValueError: the file is no JSON; the message names it and the position.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no JSON: {error}. Make or fetch it again.") from error


def write_parquet(path: str | Path, table: pa.Table) -> None:
    """Write an Arrow table as one Parquet file."""
    write_tables(path, [table])


def write_tables(path: str | Path, tables: Iterable[pa.Table]) -> None:
    """Write Arrow tables of one schema as one Parquet file, one at a time."""
    rest = iter(tables)
    first = next(rest)
    with (
        whole(path) as temporary,
        pq.ParquetWriter(temporary, first.schema, compression="zstd") as writer,
    ):
        for table in chain([first], rest):
            writer.write_table(table)


def read_split(path: str | Path, split: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of one split of a Parquet file with a column `split`, alone in memory."""
    return pq.read_table(path, columns=columns, filters=[("split", "==", split)])


def write_npy(path: str | Path, array: np.ndarray) -> None:
    """Write an array in NumPy's own format, which can be memory-mapped."""
    with whole(path) as temporary, open(temporary, "wb") as file:
        np.save(file, np.ascontiguousarray(array))


def damage(path: str | Path) -> str:
    """What keeps an array, a table, JSON or tensors from being opened; "" where nothing does.

    Readers say less: most name no file. JSON that goes on after its first value may be lines of it,
    as raw files are; a large one is such a file, and is not looked at.
    """
    opens: dict[str, Callable[[str | Path], object]] = {
        ".npy": partial(np.load, mmap_mode="r"),
        ".parquet": pq.read_metadata,
        ".json": read_json,
        ".safetensors": partial(safe_open, framework="numpy"),
    }
    try:
        kind = Path(path).suffix
        if kind == ".json" and Path(path).stat().st_size > LOOKED_AT:
            return ""
        if reader := opens.get(kind):
            reader(path)
    except Exception as error:  # each reader has its own, some without words
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        return "" if "Extra data" in said else said
    return ""


def fingerprint(path: str | Path) -> dict[str, Any]:
    """Size in bytes and SHA-256 of a file."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": Path(path).stat().st_size, "sha256": digest}
