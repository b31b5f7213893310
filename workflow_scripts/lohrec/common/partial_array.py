"""A large .npy file filled part by part: a run that was cut off goes on after its last part."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np

from lohrec.common import disk, unfinished
from lohrec.common.artefacts import read_json, whole, write_json
from lohrec.common.job_log import progress
from lohrec.common.writers import Lock

MARK_SECONDS = 30  # between two marks of what is done
Part = TypeVar("Part")


class PartialArray:
    """An array on disk beside its final place, and a marker of how much of it is filled.

    Used in a `with` statement, in which no other process can open it. Array and marker stay, see
    `common.unfinished`.

    Attributes:
        values: the memory map to fill.
        done: parts filled, by this run and by earlier ones.
        seconds: time that took.
    """

    def __init__(
        self, path: str | Path, shape: tuple[int, ...], dtype: type, fingerprint: str
    ) -> None:
        """Open what an earlier run of the same `fingerprint` left, or begin.

        Raises:
            RuntimeError: another process fills it.
            disk.DiskFull: there is no room for it.
        """
        self.done, self.seconds = 0, 0.0
        self.values: np.memmap
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.partial = unfinished.beside(path, "partial")
        self.marker = unfinished.beside(path, "partial.json")
        self.fingerprint = fingerprint
        self.lock = Lock(unfinished.beside(path, "partial.lock"), self.path)
        try:
            self._open(shape, dtype)
        except BaseException:
            self.lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.lock.release()

    def remaining(self, parts: Sequence[Part], description: str) -> Iterator[Part]:
        """The parts that are not filled yet, in order; what is done is kept every half a minute.

        The caller fills `values` for a part before it asks for the next one.

        Raises:
            RuntimeError: another process has taken the array over.
        """
        before, began = self.seconds, time.monotonic()
        marked, left = began, parts[self.done :]
        for part in progress(left, description, len(parts), "batch", initial=self.done):
            yield part
            self.done += 1
            now = time.monotonic()
            if now - marked > MARK_SECONDS or self.done == len(parts):
                self.lock.check()
                self.values.flush()
                self.seconds, marked = before + now - began, now
                marker = {"fingerprint": self.fingerprint, "done": self.done}
                marker |= {"seconds": self.seconds, "bytes": self.partial.stat().st_size}
                write_json(self.marker, marker)

    def finish(self) -> None:
        """Have the filled array in its place."""
        self.lock.check()
        self.values.flush()
        with whole(self.path) as temporary:
            try:
                os.link(self.partial, temporary)
            except OSError:  # a file system without links: a kill from now on costs all of it
                os.replace(self.partial, temporary)

    def _marked(self) -> dict[str, Any]:
        """The marker, or {} where there is none, or array or marker is damaged."""
        try:
            marked: dict[str, Any] = read_json(self.marker)
            whole_array = self.partial.stat().st_size == marked["bytes"]
        except (FileNotFoundError, ValueError, KeyError):
            return {}
        return marked if whole_array else {}

    def _open(self, shape: tuple[int, ...], dtype: type) -> None:
        saved = self._marked()
        if saved.get("fingerprint") == self.fingerprint:
            self.done, self.seconds = saved["done"], saved["seconds"]
            self.values = np.load(self.partial, mmap_mode="r+")
            print(f"resuming after {self.done:,} parts")
            return
        self.marker.unlink(missing_ok=True)
        self.partial.unlink(missing_ok=True)  # not overwritten: `path` may be the same file
        try:
            self.values = disk.new_array(self.partial, dtype, shape)
        except OSError:
            self.partial.unlink(missing_ok=True)
            raise
