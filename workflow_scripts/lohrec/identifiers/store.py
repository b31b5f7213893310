"""Identifiers beside a trained model: one safetensors file."""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from lohrec.common.artefacts import whole

FILE = "identifiers.safetensors"


def save(folder: str | Path, ids: np.ndarray, trained: int | None = None) -> None:
    """Write identifiers into a model's folder.

    Args:
        ids: int (items, levels).
        trained: how many items, the first, were in its training; None for all.
    """
    known = {} if trained is None else {"trained": np.array([trained])}
    with whole(Path(folder) / FILE) as temporary:
        save_file({"semantic_ids": ids.astype(np.int16), **known}, temporary)


def load(folder: str | Path) -> np.ndarray:
    """The identifiers in a model's folder, int64 (items, levels)."""
    ids: np.ndarray = load_file(Path(folder) / FILE)["semantic_ids"]
    return ids.astype(np.int64)


def trained(folder: str | Path) -> int | None:
    """How many items of a model's folder, the first, were in its training; None for all."""
    known = load_file(Path(folder) / FILE).get("trained")
    return None if known is None else int(known[0])


def load_ids(path: str | Path) -> np.ndarray:
    """The identifiers of semantic_ids.npy, int64 (items, levels)."""
    ids: np.ndarray = np.load(path)
    return ids.astype(np.int64)
