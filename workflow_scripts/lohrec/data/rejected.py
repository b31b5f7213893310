"""Lines that cannot be used: counted by reason, a few of them shown, and too many an error."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lohrec.data import recipes

SHOWN = 3  # lines in a message
WIDTH = 120  # characters of a line in a message


def numbered(paths: Sequence[Path], part: int, line: int) -> int | str:
    """The number of a line, and of which file where a table has several."""
    return line if len(paths) == 1 else f"{line} of {paths[part].name}"


class Rejected:
    """The rejected lines of a table.

    Attributes:
        path: of the file, for messages.
        reasons: lines by reason.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self.reasons: Counter[str] = Counter()
        self._shown: list[tuple[int | str, str, str]] = []

    def add(self, reason: str, number: int | str, line: str | bytes) -> None:
        """Count a line; the first ones are kept, to be shown.

        Args:
            number: of the line, from 1, as `numbered` gives it.
        """
        self.reasons[reason] += 1
        if len(self._shown) < SHOWN:
            text = line.decode(errors="replace") if isinstance(line, bytes) else line
            self._shown.append((number, reason, text.strip()))

    @property
    def total(self) -> int:
        """All rejected lines."""
        return self.reasons.total()

    def counts(self) -> dict[str, int]:
        """Lines by reason, sorted by it."""
        return dict(sorted(self.reasons.items()))

    def summary(self, lines: int) -> str | None:
        """What a warning says; None if nothing was rejected."""
        if not self.total:
            return None
        return f"{self.path}: {self.total:,} of {lines:,} lines rejected: {self.counts()}"

    def check(self, lines: int, most: float) -> None:
        """Stop where too many are rejected.

        Args:
            lines: all that were read.
            most: the largest share of them that may be rejected.

        Raises:
            ValueError: there are more; the message shows the first, and what they look like.
        """
        if self.total > most * lines:
            raise ValueError(
                f"{self.summary(lines)}. ingest.most_rejected allows {most:.2%}.\n{self.shown()}"
            )

    def shown(self) -> str:
        """The first rejected lines with their numbers, and the layout that they look like."""
        rows = [f"  line {n} ({reason}): {text[:WIDTH]}" for n, reason, text in self._shown]
        alike = recipes.resembling([text for *_, text in self._shown])
        return "\n".join([*rows, *([f"This looks like {alike}."] if alike else [])])
