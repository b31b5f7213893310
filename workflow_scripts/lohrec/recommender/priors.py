"""Ordered candidates for every train example: Eq. 15's correction and Appendix B's baselines."""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from lohrec.data.cooccurrence import cooccurrences
from lohrec.data.examples import Examples
from lohrec.recommender.beam_items import identifier_items

SETTINGS = {
    "keep": {
        "type": "integer", "minimum": 2, "default": 16,
        "description": "Candidates a train example that are ranked, the target among them.",
    },
}  # fmt: skip

CHUNK = 4096  # examples at once, so that intermediate arrays stay small
CELLS = 2**23  # distances at once: a few MB
SEED = 0  # of the draw by distance


def correct(beams: np.ndarray, targets: np.ndarray, ids: np.ndarray, keep: int = 16) -> np.ndarray:
    """Eq. 15's Correct: real items only, the true target first, none twice, the first `keep`.

    Args:
        beams: int (examples, beams, levels), codewords from the most probable beam on; below 0
            for a token that is no codeword of its level. May be memory-mapped.
        targets: int (examples,), the true items.
        ids: int (items, levels).
        keep: candidates an example, the target among them.

    Returns:
        int32 (examples, keep), items; -1 where there are fewer.

    Raises:
        ValueError: the beams are those of other examples.
    """
    if len(beams) != len(targets):
        raise ValueError(
            f"There are beams of {len(beams)} examples for {len(targets)} targets; they come from "
            f"other data: delete {getattr(beams, 'filename', 'beams.npy')} and generate the "
            "candidates again."
        )
    same_identifier = identifier_items(ids, ids)
    out = np.full((len(beams), keep), -1, dtype=np.int32)
    for low in range(0, len(beams), CHUNK):
        target = targets[low : low + CHUNK]
        items = identifier_items(np.asarray(beams[low : low + CHUNK]), ids)
        listed = np.concatenate([same_identifier[target][:, None], items], 1)
        repeats = np.tril(listed[:, :, None] == listed[:, None, :], -1).any(-1)
        kept = (listed >= 0) & ~repeats
        listed[:, 0] = target
        order = np.argsort(~kept, axis=1, kind="stable")[:, :keep]
        first = np.where(
            np.take_along_axis(kept, order, 1), np.take_along_axis(listed, order, 1), -1
        )
        out[low : low + CHUNK, : first.shape[1]] = first
    return out


def distances(ids: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Weighted prefix distance (Eq. 18) from the items `rows` to all items, uint8 (rows, items).

    A mismatch at the first of D levels counts 2^(D-1), at the last 1; 0 is the same identifier.
    """
    levels = ids.shape[1]
    total = np.zeros((len(rows), len(ids)), dtype=np.uint8)
    for level in range(levels):
        total += (ids[rows, level, None] != ids[:, level]) * np.uint8(2 ** (levels - 1 - level))
    return total


def by_distance(targets: np.ndarray, ids: np.ndarray, seed: int) -> np.ndarray:
    """One random item at every distance from the target, the nearest first (Eq. 18, Appendix B.1).

    Args:
        targets: int (examples,), the true items.
        ids: int (items, levels).
        seed: seed of the sampling.

    Returns:
        int32 (examples, 2^levels), the target first and then distances 1, 2, ... as far as items
        are found there; -1 on the right for the distances that no item has.
    """
    width = 2 ** ids.shape[1]
    rng = np.random.default_rng(seed)
    out = np.full((len(targets), width), -1, dtype=np.int32)
    by_target = np.argsort(targets, kind="stable")
    unique, first = np.unique(targets[by_target], return_index=True)
    first = np.append(first, len(targets))
    step = max(1, CELLS // len(ids))  # targets at once
    for low in range(0, len(unique), step):
        item = unique[low : low + step]
        distance = distances(ids, item)
        order = np.argsort(distance, axis=1, kind="stable")
        count = np.stack([np.bincount(row, minlength=width) for row in distance])
        begin = np.cumsum(count, 1) - count
        # Target by target, a row of draws each: the same whatever is done at once.
        for at in range(first[low], first[low + len(item)], CHUNK):
            example = by_target[at : min(at + CHUNK, first[low + len(item)])]
            row = np.searchsorted(item, targets[example])
            # A random one of the `count` items that sort to `begin` and after.
            chance = rng.random((len(example), width))
            place = begin[row] + (chance * count[row]).astype(np.int64)
            found = order[row[:, None], np.minimum(place, len(ids) - 1)]
            drawn = np.where(count[row] > 0, found, -1)
            drawn[:, 0] = targets[example]
            packed = np.argsort(drawn < 0, axis=1, kind="stable")
            out[example] = np.take_along_axis(drawn, packed, 1)
    return out


def by_cooccurrence(
    targets: np.ndarray, pairs: sparse.csr_array, ids: np.ndarray, keep: int = 16
) -> np.ndarray:
    """The items seen most often together with the target, the target first (Appendix B.2).

    No identifier comes twice: of items that share one, the first stays.

    Args:
        targets: int (examples,), the true items.
        pairs: counts (items, items) with a zero diagonal; ties go to the lower item.
        ids: int (items, levels).
        keep: candidates an example, the target among them.

    Returns:
        int32 (examples, keep), items; -1 where fewer ever came together with the target.
    """
    items = pairs.shape[0]
    row = np.repeat(np.arange(items), np.diff(pairs.indptr))
    order = np.lexsort((pairs.indices, -pairs.data, row))  # keeps the rows where they are
    other, same_identifier = pairs.indices[order], identifier_items(ids, ids)
    _, kept = np.unique(row * items + same_identifier[other], return_index=True)
    kept = np.sort(kept)
    kept = kept[same_identifier[row[kept]] != same_identifier[other[kept]]]
    row, other = row[kept], other[kept]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    best = rank < keep - 1
    table = np.full((items, keep), -1, dtype=np.int32)
    table[:, 0] = np.arange(items)
    table[row[best], rank[best] + 1] = other[best]
    first: np.ndarray = table[targets]
    return first


def summary(prior: np.ndarray) -> dict[str, float | int]:
    """What a prior holds: examples, mean candidates, share of full lists and of bare targets."""
    count = (prior >= 0).sum(1)
    return {
        "examples": len(prior),
        "mean_candidates": float(count.mean()),
        "full_share": float((count == prior.shape[1]).mean()),
        "target_only_share": float((count == 1).mean()),
    }


def _by_teacher(
    train: Examples, ids: np.ndarray, keep: int, beams: np.ndarray | None
) -> np.ndarray:
    assert beams is not None  # the rule that orders by the teacher hands them over
    return correct(beams, train.target, ids, keep)


# By the name that a variant's `prior` gives. Each takes the train split, the identifiers, how many
# candidates to keep and, where it corrects them, the teacher's beams.
PRIORS: dict[str, Callable[[Examples, np.ndarray, int, np.ndarray | None], np.ndarray]] = {
    "teacher": _by_teacher,
    "distance": lambda train, ids, keep, _: by_distance(train.target, ids, SEED)[:, :keep],
    "cooccurrence": lambda train, ids, keep, _: by_cooccurrence(
        train.target, cooccurrences(train, len(ids)), ids, keep
    ),
}
