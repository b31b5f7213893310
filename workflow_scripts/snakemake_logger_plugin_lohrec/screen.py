"""Lines that stay and, on a terminal, lines below them that are drawn again and again."""

import os
import shutil
from typing import TextIO


class Screen:
    """A stream of lines; `live` ones exist on a terminal only, below all others."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = 0
        self.is_terminal = stream.isatty() and os.environ.get("TERM") != "dumb"

    def write(self, text: str) -> None:
        """Add lines that stay."""
        self._stream.write(f"{self._erased()}{text}\n")
        self._stream.flush()

    def draw(self, lines: list[str]) -> None:
        """Replace the live lines, cut to the terminal's width; of too many, the first ones."""
        if not self.is_terminal:
            return
        width, height = shutil.get_terminal_size()
        shown = [line[: width - 1] for line in lines[: max(1, height // 2)]]
        self._stream.write(self._erased() + "".join(f"{line}\n" for line in shown))
        self._stream.flush()
        self._live = len(shown)

    def _erased(self) -> str:
        """What moves the cursor up over the live lines, and clears them."""
        up, self._live = self._live, 0
        return f"\x1b[{up}F\x1b[J" if up else ""
