"""What a job says: everything into its log file, progress also onto the terminal."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from tqdm import tqdm

# The terminal's stderr while file descriptor 2 belongs to the log.
_terminal = sys.stderr


@contextmanager
def redirect(path: str | Path) -> Iterator[None]:
    """Send file descriptors 1 and 2 to the log `path`, so that native libraries are caught too.

    An exception is written to the log, with its traceback, before it goes on.
    """
    global _terminal
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with open(path, "w", buffering=1) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    _terminal = os.fdopen(os.dup(saved[1]), "w", buffering=1)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    try:
        yield
    except BaseException:
        sys.excepthook(*sys.exc_info())
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        for descriptor in saved:
            os.close(descriptor)
        _terminal.close()
        _terminal = sys.stderr


class _LogBar(tqdm):  # type: ignore[type-arg] # generic for type checkers alone
    """A progress bar for a file: plain lines at growing distances instead of one line redrawn."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._next_line = time.monotonic() + 10
        super().__init__(*args, **kwargs)

    def display(self, *_: Any, **__: Any) -> None:
        now = time.monotonic()
        if now >= self._next_line:
            self._next_line = now + 30
            print(str(self), flush=True)

    def close(self) -> None:
        self.disable = True


def progress(
    iterable: Iterable[Any] | None,
    description: str,
    total: int | None = None,
    unit: str = "it",
    initial: int = 0,
) -> "tqdm[Any]":
    """A bar with rate and remaining time: on the terminal, or as a line every 30 s in the log."""
    kind: type[tqdm[Any]] = tqdm if _terminal.isatty() else _LogBar
    return kind(
        iterable,
        desc=description,
        total=total,
        unit=unit,
        initial=initial,
        file=_terminal,
        ascii=kind is _LogBar,
        leave=False,
        dynamic_ncols=kind is tqdm,
    )
