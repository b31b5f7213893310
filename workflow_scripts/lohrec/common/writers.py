"""Who writes a file: the process that a temporary name tells, and the owner of a lock."""

import json
import os
import re
import shutil
import socket
import threading
import time
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Any


def _host() -> str:
    """The host's name, and the number of what holds its processes, where the system tells.

    Containers may share a name and a folder, while none knows the processes of another.
    """
    name = socket.gethostname()
    try:
        processes = os.readlink("/proc/self/ns/pid")  # "pid:[4026531836]"
    except OSError:  # not on Linux
        return name
    return f"{name}-{''.join(filter(str.isdigit, processes))}"


HOST = _host()
BEAT_SECONDS = 15  # between two signs of life of a lock's owner
# An owner elsewhere that gives no sign for so long is dead; a network file system may show its
# last sign a minute late.
WATCH_SECONDS = 120
SETTLE_SECONDS = 1  # of two that take over a dead owner's lock at once, the later one has it
DAY = 24 * 60 * 60


def temporary(path: Path) -> Path:
    """Where this process writes what will be `path`: beside it, with the same ending."""
    return path.with_name(f".{HOST}-{os.getpid()}.{path.name}")


def remove_killed(path: Path) -> None:
    """Remove what writers of `path` left that were killed: on this host, or a day ago elsewhere."""
    for left in path.parent.glob(f".*-*.{escape(path.name)}"):
        named = re.fullmatch(r"\.(.+)-(\d+)", left.name.removesuffix(f".{path.name}"))
        if named is None:
            continue
        here = named[1] == HOST
        try:
            if alive(int(named[2])) if here else time.time() - left.stat().st_mtime < DAY:
                continue
        except FileNotFoundError:  # its writer was faster
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def alive(process: int) -> bool:
    """Whether a process of this host, by its number, still runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Lock:
    """A file that says which process writes something, so that no second one does.

    It names host, process and time, and is touched every few seconds. The lock of a dead process
    is taken over: at once where this host knows no such process, else after two minutes without a
    touch. `release` removes it, or the workflow where the run has ended.
    """

    def __init__(self, path: Path, what: Path) -> None:
        """Take the lock `path`.

        Args:
            what: the file that it guards, for the message.

        Raises:
            RuntimeError: another process has it, and lives.
        """
        self.path, self.what = path, what
        self.mine = {
            "host": HOST,
            "process": os.getpid(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
            "token": os.urandom(8).hex(),
        }
        try:
            with open(path, "x", encoding="utf-8") as file:
                json.dump(self.mine, file)
        except FileExistsError:
            self._take_over()
        self._released = threading.Event()
        threading.Thread(target=self._beat, daemon=True).start()

    def check(self) -> None:
        """Make sure that nobody has taken the lock over.

        Raises:
            RuntimeError: somebody has, because this process stood still or could not be seen.
        """
        if (owner := _read(self.path)) != self.mine:
            raise RuntimeError(f"{self._text(owner)} It has taken over from this process.")

    def release(self) -> None:
        """Let others write; a lock that somebody has taken over stays."""
        self._released.set()
        if _read(self.path) == self.mine:
            self.path.unlink(missing_ok=True)

    def _take_over(self) -> None:
        owner = _read(self.path)
        if (owner.get("host") != HOST or alive(owner["process"])) and self._moves():
            raise RuntimeError(
                f"{self._text(owner)} Wait until it has ended, or end it there; then start again."
            )
        beside = temporary(self.path)
        beside.write_text(json.dumps(self.mine), encoding="utf-8")
        os.replace(beside, self.path)
        time.sleep(SETTLE_SECONDS)
        self.check()
        print(f"taking over from {_name(owner)}, which is dead", flush=True)

    def _moves(self) -> bool:
        """Whether the owner touches its lock while it is watched.

        The process of a number may be another one since, so its being there says nothing.
        """
        print(f"waiting for a sign of life of who has {self.path}", flush=True)
        try:
            first, end = self.path.stat().st_mtime_ns, time.monotonic() + WATCH_SECONDS
            while time.monotonic() < end:
                time.sleep(BEAT_SECONDS / 10)
                if self.path.stat().st_mtime_ns != first:
                    return True
        except FileNotFoundError:
            pass
        return False

    def _beat(self) -> None:
        with suppress(FileNotFoundError):  # released meanwhile
            while not self._released.wait(BEAT_SECONDS) and _read(self.path) == self.mine:
                os.utime(self.path)

    def _text(self, owner: dict[str, Any]) -> str:
        return f"{self.what} is being written by {_name(owner)} ({self.path})."


def _read(path: Path) -> dict[str, Any]:
    """The owner, or {} where the file is gone or has not been filled."""
    try:
        owner: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return owner


def _name(owner: dict[str, Any]) -> str:
    if not owner:
        return "an unknown process"
    return f"process {owner['process']} on {owner['host']} since {owner['since']}"
