"""A large .npy file filled part by part: a run that was cut off goes on after its last part."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from lohrec.common.artefacts import read_json, write_json
from lohrec.common.job_log import progress

MARK_SECONDS = 30  # between two marks of what is done
Part = TypeVar("Part")


class PartialArray:
    """An array on disk beside its final place, and a marker of how much of it is filled.

    Attributes:
        values: the memory map to fill.
        done: parts filled, by this run and by earlier ones.
        seconds: time that took.
    """

    def __init__(
        self, path: str | Path, shape: tuple[int, ...], dtype: type, fingerprint: str
    ) -> None:
        """Open what an earlier run of the same `fingerprint` left, or begin."""
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.partial = self.path.with_name(f".{self.path.name}.partial")
        self.marker = self.path.with_name(f".{self.path.name}.partial.json")
        self.fingerprint = fingerprint
        saved = read_json(self.marker) if self.marker.exists() and self.partial.exists() else {}
        if saved.get("fingerprint") == fingerprint:
            self.done, self.seconds = saved["done"], saved["seconds"]
            self.values = np.load(self.partial, mmap_mode="r+")
            print(f"resuming after {self.done:,} parts")
        else:
            self.marker.unlink(missing_ok=True)
            self.done, self.seconds = 0, 0.0
            self.values = np.lib.format.open_memmap(self.partial, "w+", dtype, shape)

    def remaining(self, parts: Sequence[Part], description: str) -> Iterator[Part]:
        """The parts that are not filled yet, in order; what is done is kept every half a minute.

        The caller fills `values` for a part before it asks for the next one.
        """
        before, began = self.seconds, time.monotonic()
        marked, left = began, parts[self.done :]
        for part in progress(left, description, len(parts), "batch", initial=self.done):
            yield part
            self.done += 1
            now = time.monotonic()
            if now - marked > MARK_SECONDS or self.done == len(parts):
                self.values.flush()
                self.seconds, marked = before + now - began, now
                marker = {"fingerprint": self.fingerprint, "done": self.done}
                write_json(self.marker, marker | {"seconds": self.seconds})

    def finish(self) -> None:
        """Move the filled array to its place."""
        self.values.flush()
        os.replace(self.partial, self.path)
        self.marker.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the array and its marker."""
        self.partial.unlink()
        self.marker.unlink(missing_ok=True)
