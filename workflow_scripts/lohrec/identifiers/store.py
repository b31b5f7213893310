"""Identifiers beside a trained model: one safetensors file."""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from lohrec.common.artefacts import whole

FILE = "identifiers.safetensors"


def save(folder: str | Path, ids: np.ndarray) -> None:
    """Write identifiers, int (items, levels), into a model's folder."""
    with whole(Path(folder) / FILE) as temporary:
        save_file({"semantic_ids": ids.astype(np.int16)}, temporary)


def load(folder: str | Path) -> np.ndarray:
    """The identifiers in a model's folder, int64 (items, levels)."""
    ids: np.ndarray = load_file(Path(folder) / FILE)["semantic_ids"]
    return ids.astype(np.int64)


def load_ids(path: str | Path) -> np.ndarray:
    """The identifiers of semantic_ids.npy, int64 (items, levels)."""
    ids: np.ndarray = np.load(path)
    return ids.astype(np.int64)
