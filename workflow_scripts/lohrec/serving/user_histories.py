"""Histories by user, the oldest item first, whatever the order of a file's rows.

The rows go through a temporary database on disk, so memory does not grow with them.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby, islice
from typing import NamedTuple

from lohrec.serving.history_rows import Row

CACHE_KB = 2048  # of the database, in memory


class History(NamedTuple):
    """What a user has chosen, by names, the oldest first."""

    user: str
    items: list[str]


class Histories:
    """The histories of all users, in the order in which a file first names them.

    Args:
        database: with the table `rows`.

    Attributes:
        users: how many.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        (self.users,) = database.execute("SELECT COUNT(DISTINCT user) FROM rows").fetchone()

    def batches(self, size: int) -> Iterator[list[History]]:
        """All of them, `size` at a time; items of one time stand in the order of their rows."""
        rows = self.database.execute(
            "SELECT user, item FROM "
            "(SELECT *, MIN(line) OVER (PARTITION BY user) AS first FROM rows) "
            "ORDER BY first, time, line"
        )
        users = (
            History(user, [item for _, item in own if item is not None])
            for user, own in groupby(rows, key=lambda row: row[0])
        )
        while batch := list(islice(users, size)):
            yield batch


@contextmanager
def gathered(rows: Iterable[Row]) -> Iterator[Histories]:
    """Bring rows together by user.

    Raises:
        ValueError: there are none.
        OSError: the folder for temporary files has no room for them.
    """
    database = sqlite3.connect("")  # a private file, in the folder for temporary ones
    try:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        database.execute("CREATE TABLE rows (user TEXT, item TEXT, time, line INTEGER PRIMARY KEY)")
        database.executemany("INSERT INTO rows (user, item, time) VALUES (?, ?, ?)", rows)
        found = Histories(database)
        if not found.users:
            raise ValueError("There is no history below the header: nobody to recommend to.")
        yield found
    except sqlite3.OperationalError as error:
        raise OSError(
            f"The histories cannot be sorted in {_temporary_folder()}: {error}. Make room there, "
            "or name a folder that has it in the environment variable SQLITE_TMPDIR."
        ) from error
    finally:
        database.close()


def _temporary_folder() -> str:
    """Where SQLite keeps its files, the first that it may write to (sqlite.org/tempfiles.html)."""
    named = (os.environ.get(name) for name in ("SQLITE_TMPDIR", "TMPDIR"))
    places = [*filter(None, named), "/var/tmp", "/usr/tmp", "/tmp"]
    usable = (p for p in places if os.path.isdir(p) and os.access(p, os.W_OK | os.X_OK))
    return next(usable, ".")
