"""The items that a teacher's beams name."""

import numpy as np

CHUNK = 4096  # examples at once, so that intermediate arrays stay small


def identifier_items(beams: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The item of every identifier, int32 (...): -1 for none, the lowest where identifiers collide.

    Args:
        beams: int (..., levels), codewords; -1 for a token that is no codeword of its level.
        ids: int (items, levels), identifiers of all items, codewords 0 and up.
    """
    base = int(max(ids.max(), beams.max(initial=0))) + 1
    weight = base ** np.arange(ids.shape[1], dtype=np.int64)[::-1]
    known, lowest = np.unique(ids.astype(np.int64) @ weight, return_index=True)
    key = beams.astype(np.int64) @ weight
    place = np.minimum(np.searchsorted(known, key), len(known) - 1)
    found = (known[place] == key) & (beams >= 0).all(-1)
    return np.where(found, lowest[place], -1).astype(np.int32)


def labels(
    beams: np.ndarray, targets: np.ndarray, ids: np.ndarray, which: str, seed: int
) -> np.ndarray:
    """An item of the teacher's list to learn in place of the target ("Top" and "Random" of 4.6).

    Args:
        beams, targets, ids: see `priors.correct`.
        which: "top", the most probable beam that is an item, or "random", any of these.
        seed: of the draw, which is made once for every example.

    Returns:
        int32 (examples,), items; the target where no beam is an item.
    """
    rng = np.random.default_rng(seed)
    out = targets.astype(np.int32)
    for low in range(0, len(beams), CHUNK):
        found = identifier_items(np.asarray(beams[low : low + CHUNK]), ids)
        # Real items first, in the order of the beams or in a random one.
        key = rng.random(found.shape) if which == "random" else np.zeros(found.shape)
        best = np.argsort(key + 2 * (found < 0), axis=1, kind="stable")[:, :1]
        best = np.take_along_axis(found, best, 1)[:, 0]
        out[low : low + CHUNK] = np.where(best >= 0, best, out[low : low + CHUNK])
    return out
