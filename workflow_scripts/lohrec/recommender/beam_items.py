"""The items that a teacher's beams name."""

from typing import Any

import numpy as np

from lohrec.identifiers.codewords import NO_BEAM, OTHER_LEVEL, WORD

CHUNK = 4096  # examples at once, so that intermediate arrays stay small


def identifier_items(beams: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The item of every identifier, int32 (...): -1 for none, the lowest where identifiers collide.

    Args:
        beams: int (..., levels), codewords; below 0 for a token that is no codeword of its level.
        ids: int (items, levels), identifiers of all items, codewords 0 and up.
    """
    base = int(max(ids.max(), beams.max(initial=0))) + 1
    weight = base ** np.arange(ids.shape[1], dtype=np.int64)[::-1]
    known, lowest = np.unique(ids.astype(np.int64) @ weight, return_index=True)
    key = beams.astype(np.int64) @ weight
    place = np.minimum(np.searchsorted(known, key), len(known) - 1)
    real = (known[place] == key) & (beams >= 0).all(-1)
    return np.where(real, lowest[place], -1).astype(np.int32)


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
    rng = np.random.default_rng([seed, 0, 1])  # an epoch's order is drawn by two
    out = targets.astype(np.int32)
    for low in range(0, len(beams), CHUNK):
        items = identifier_items(np.asarray(beams[low : low + CHUNK]), ids)
        # Real items first, in the order of the beams or in a random one.
        key = rng.random(items.shape) if which == "random" else np.zeros(items.shape)
        best = np.argsort(key + 2 * (items < 0), axis=1, kind="stable")[:, :1]
        best = np.take_along_axis(items, best, 1)[:, 0]
        out[low : low + CHUNK] = np.where(best >= 0, best, out[low : low + CHUNK])
    return out


def quality(beams: np.ndarray, targets: np.ndarray, ids: np.ndarray) -> dict[str, Any]:
    """How many raw beams are items, why others are not, and how often the target is among them.

    Args:
        beams, targets, ids: see `priors.correct`.

    Returns:
        examples, beams: how many there are, and how many each example has.
        invalid_share: of the beams that there are, the share whose identifier is no item's;
            invalid_share_by_rank: the same for each rank of a beam.
        invalid_by_level: by reason, the share of the same beams whose first wrong token is at each
            level: a word, a codeword of another level (other_level), or one after which no item's
            identifier goes on (no_item).
        empty_share: of the examples, the share without a beam that is an item.
        target_share: of the examples, the share with the target's identifier among the beams;
            first_share: with it as the first.
    """
    same_identifier = identifier_items(ids, ids)
    levels = beams.shape[2]
    found = np.zeros(beams.shape[1], np.int64)
    invalid = np.zeros_like(found)
    reasons = {name: np.zeros(levels, np.int64) for name in ("word", "other_level", "no_item")}
    among = first = empty = 0
    for low in range(0, len(beams), CHUNK):
        part = np.asarray(beams[low : low + CHUNK])
        items = identifier_items(part, ids)
        fine = part[..., 0] != NO_BEAM
        found += fine.sum(0)
        empty += int((items < 0).all(1).sum())
        invalid += (fine & (items < 0)).sum(0)
        for level in range(levels):
            known = identifier_items(part[..., : level + 1], ids[:, : level + 1]) >= 0
            token = part[..., level]
            reasons["word"][level] += (fine & (token == WORD)).sum()
            reasons["other_level"][level] += (fine & (token == OTHER_LEVEL)).sum()
            reasons["no_item"][level] += (fine & (token >= 0) & ~known).sum()
            fine &= known
        hit = items == same_identifier[targets[low : low + CHUNK], None]
        among += int(hit.any(1).sum())
        first += int(hit[:, 0].sum())
    return {
        "examples": len(beams),
        "beams": beams.shape[1],
        "invalid_share": float(invalid.sum() / max(found.sum(), 1)),
        "invalid_share_by_rank": (invalid / np.maximum(found, 1)).tolist(),
        "invalid_by_level": {
            name: (count / max(found.sum(), 1)).tolist() for name, count in reasons.items()
        },
        "empty_share": empty / len(beams),
        "target_share": among / len(beams),
        "first_share": first / len(beams),
    }
