"""Semantic IDs as text, in the layout of LC-Rec's index.json."""

import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson

from lohrec.common import artefacts


def write(path: str | Path, ids: np.ndarray, items: Sequence[str]) -> None:
    """Write `{item: ["<a_12>", "<b_3>", ...]}` of identifiers, integers (items, levels)."""
    index = {
        item: [
            f"<{letter}_{code}>" for letter, code in zip(string.ascii_lowercase, row, strict=False)
        ]
        for item, row in zip(items, ids.tolist(), strict=True)
    }
    with artefacts.whole(path) as temporary:
        temporary.write_bytes(orjson.dumps(index))
