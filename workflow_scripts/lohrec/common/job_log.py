"""What a job says: everything into its log file, progress onto the terminal.

Where the environment variable LOHREC_PROGRESS is `log`, progress goes into the log file too: the
terminal is then another program's, which shows the last lines of the logs.
"""

import io
import os
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

LOG = "LOHREC_LOG"  # the environment variable that names the log file while a job writes it
MARK = "======== attempt"  # begins what a job says that was started again
# Begins what people read of an error: the end of a failed job's log.
ERROR = "ERROR: "
LIBRARY = Path(__file__).resolve().parents[1]
FORESEEN = (ValueError, RuntimeError, FloatingPointError)  # where the library raises them
WIDTH = 300  # characters shown of words that nobody foresaw

# The terminal's stderr while file descriptor 2 belongs to the log.
_terminal = sys.stderr


@contextmanager
def redirect(path: str | Path) -> Iterator[None]:
    """Send file descriptors 1 and 2 to the log `path`, so that native libraries are caught too.

    An exception is written to the log before it goes on: its traceback, and then what people read
    of it, which the terminal shows too. If nobody catches it, the interpreter is silent. What an
    attempt said that did not end well stays above the next one, with a mark between them.
    """
    global _terminal
    path = Path(path)
    os.environ[LOG] = str(path)  # where processes that the job starts find it, too
    path.parent.mkdir(parents=True, exist_ok=True)
    # Snakemake deletes the log before each attempt; so it has a second name until one ends well.
    kept = path.with_name(f".{path.name}.attempts")
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    path.unlink(missing_ok=True)
    with open(_linked(kept, path), "a", buffering=1) as log:
        if earlier := kept.exists() and kept.read_text(errors="replace"):
            attempt = earlier.count(MARK) + 2
            log.write(f"\n{MARK} {attempt}, {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    _terminal = os.fdopen(os.dup(saved[1]), "w", buffering=1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    try:
        yield
        kept.unlink(missing_ok=True)
    except BaseException as error:
        traceback.print_exc()
        _say(f"{ERROR}{message(error)}")
        sys.excepthook = _silent
        raise
    finally:
        del os.environ[LOG]
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        for descriptor in saved:
            os.close(descriptor)
        _terminal.close()
        _terminal = sys.stderr


def _linked(kept: Path, path: Path) -> Path:
    """The file `kept`, old or new, under a second name, `path`; where links fail, `path` alone."""
    try:
        kept.touch()
        os.link(kept, path)
    except OSError:  # then each attempt replaces the log
        kept.unlink(missing_ok=True)
        return path
    return kept


def warn(text: str) -> None:
    """Say in the log what a user should know of a result, and on the terminal.

    Where the terminal is another program's, that shows the log's warnings when the job is done.
    """
    _say(f"WARNING: {text}")


def message(error: BaseException) -> str:
    """What people read of an error: its own words where the library or the system raised it.

    Of any other, which nobody foresaw, the place in the library too.
    """
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(LIBRARY)]
    words = str(error).strip()
    if notes := getattr(error, "__notes__", None):  # which file is damaged
        return "\n".join([words or type(error).__name__, *notes])
    raised_here = bool(ours) and ours[-1] is frames[-1]
    if words and (isinstance(error, OSError) or (raised_here and isinstance(error, FORESEEN))):
        return words
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted. The same command goes on."
    place = (ours or frames)[-1]
    first = (words.splitlines() or ["it says nothing"])[0][:WIDTH]
    return (
        f"{type(error).__name__}: {first}\n"
        f"{place.filename}, line {place.lineno}: {place.line}\n"
        "Nobody foresaw this. The traceback in the log says what led there; if your files and "
        "settings are right, report it with the log."
    )


def _say(text: str) -> None:
    print(text, flush=True)
    if _terminal is not sys.stderr and os.environ.get("LOHREC_PROGRESS") != "log":
        print(text, file=_terminal, flush=True)


def _silent(*_: object) -> None:
    """Take the place of the interpreter's own report."""


class _LogBar(tqdm):  # type: ignore[type-arg] # generic for type checkers alone
    """A progress bar for a file: plain lines, 2 to 30 s apart, instead of one line redrawn."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._distance = 2.0
        self._next_line = time.monotonic() + self._distance
        super().__init__(*args, **kwargs)

    def display(self, *_: Any, **__: Any) -> None:
        now = time.monotonic()
        if now >= self._next_line:
            self._distance = min(2 * self._distance, 30)
            self._next_line = now + self._distance
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
    """A bar with rate and remaining time: on the terminal, or as lines in the log."""
    on_terminal = _terminal.isatty() and os.environ.get("LOHREC_PROGRESS") != "log"
    kind = tqdm if on_terminal else _LogBar
    bar: tqdm[Any] = kind(
        iterable,
        desc=description,
        total=total,
        unit=unit,
        initial=initial,
        file=_terminal,
        ncols=None if on_terminal else 0,  # 0: figures without a bar
        leave=False,
        dynamic_ncols=on_terminal,
    )
    return bar
