"""Users who walk through a few items, and settings of a small teacher over codewords alone."""

import numpy as np

from lohrec.data.examples import Examples

SETTINGS = {
    "kind": "scratch",
    "hidden": 32,
    "layers": 2,
    "heads": 2,
    "intermediate": 64,
    "dropout": 0.1,
    "epochs": 3,
    "batch_size": 64,
    "learning_rate": 3e-3,
    "warmup": 0.1,
    "weight_decay": 0.01,
    "clip": 1.0,
    "bf16": False,
    "evaluations": 4,
    "patience": 10,
    "dev_users": 20,
    "seed": 0,
}


def groups(settings: dict) -> dict[str, dict]:
    """The settings hold both groups."""
    return {"network": settings, "training": settings}


def split(lengths: list[int], items: int, seed: int = 0) -> dict[str, Examples]:
    """Leave-one-out examples of users whose sequences walk through the items in steps of one."""
    rng = np.random.default_rng(seed)
    sequences, rows = [], {"train": [], "dev": [], "test": []}
    for user, n in enumerate(lengths):
        offset = len(sequences)
        sequences += ((rng.integers(items) + np.arange(n)) % items).tolist()
        for place in range(1, n):
            name = {n - 1: "test", n - 2: "dev"}.get(place, "train")
            rows[name].append((user, offset + max(0, place - 20), offset + place))
    sequences = np.array(sequences, dtype=np.int32)
    return {
        name: Examples(sequences, *np.array(places, dtype=np.int64).T)
        for name, places in rows.items()
    }


def identifiers(items: int) -> np.ndarray:
    """Distinct identifiers, int16 (items, 4)."""
    return np.stack([np.arange(items) // 16**i % 16 for i in (3, 2, 1, 0)], 1).astype(np.int16)


def data() -> tuple[dict[str, Examples], np.ndarray]:
    """Examples of sixty users, and the identifiers of forty items."""
    lengths = np.random.default_rng(0).integers(5, 15, 60).tolist()
    return split(lengths, 40), identifiers(40)
