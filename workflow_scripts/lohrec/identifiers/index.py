"""Semantic IDs as text, in the layout of LC-Rec's index.json."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson

from lohrec.common import artefacts
from lohrec.identifiers import codewords


def write(path: str | Path, ids: np.ndarray, items: Sequence[str]) -> None:
    """Write `{item: ["<a_12>", "<b_3>", ...]}` of identifiers, integers (items, levels)."""
    index = dict(zip(items, codewords.names(ids), strict=True))
    with artefacts.whole(path) as temporary:
        temporary.write_bytes(orjson.dumps(index))
