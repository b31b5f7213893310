"""Interactions in columns: repeats dropped, k-core taken, codes dense (Section 4.1, Table 3)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lohrec.common import artefacts, job_log
from lohrec.data import suspicions
from lohrec.data.item_texts import ItemText

SETTINGS = {
    "core": {
        "type": "integer", "minimum": 3, "default": 5,
        "description": (
            "Fewest interactions of a user and of an item; both are filtered in turns until both "
            "hold."
        ),
    },
    "most_rejected": {
        "type": "number", "minimum": 0, "maximum": 1, "default": 0.01,
        "description": "Largest share of raw lines that may be unusable; above it the job stops.",
    },
    "tie_seed": {
        "type": "integer", "minimum": 0, "maximum": 4294967295, "default": 0,
        "description": "Seed of the order of a user's items of one time.",
    },
}  # fmt: skip

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no two items of a user fall together


@dataclass(frozen=True)
class Interactions:
    """Columns of codes, and the names the codes stand for.

    Attributes:
        user: int32 (interactions,), places in `users`.
        item: int32 (interactions,), places in `items`.
        time: int64 (interactions,), in seconds, or any other unit that orders a user's items.
        users: strings, reviewer ids, no two alike.
        items: strings, ASINs, no two alike.
    """

    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    users: pa.Array
    items: pa.Array

    def __len__(self) -> int:
        return len(self.user)

    def where(self, kept: np.ndarray) -> "Interactions":
        """The interactions of a boolean mask or of an array of places; the names stay."""
        return replace(self, user=self.user[kept], item=self.item[kept], time=self.time[kept])

    def counts(self) -> dict[str, int]:
        """Users, items and interactions that occur."""
        return {
            "users": int(np.count_nonzero(np.bincount(self.user))),
            "items": int(np.count_nonzero(np.bincount(self.item))),
            "interactions": len(self),
        }

    def item_names(self) -> pa.Array:
        """Names of the items that occur."""
        return self.items.take(np.unique(self.item))


class Ingested(NamedTuple):
    """What a source's `read` returns.

    Attributes:
        interactions: dense codes, rows sorted by user and time.
        texts: text by item name; an item that is not there has none.
        counted: what reading and selecting counted, for the report; a list of texts, `warnings`,
            is what a user should know of it.
    """

    interactions: Interactions
    texts: Mapping[str, ItemText]
    counted: Mapping[str, Any]


def drop_repeats(reviews: Interactions) -> Interactions:
    """Keep the earliest interaction of every pair of user and item, whatever the order of rows."""
    pair = reviews.user.astype(np.int64) * len(reviews.items) + reviews.item
    order = np.lexsort((reviews.time, pair))
    pair = pair[order]
    first = np.ones(len(pair), dtype=bool)
    first[1:] = pair[1:] != pair[:-1]
    return reviews.where(order[first])


def keep_items(interactions: Interactions, names: Sequence[str]) -> Interactions:
    """Keep the interactions with the named items."""
    known = pc.is_in(interactions.items, pa.array(names, pa.string()))
    return interactions.where(known.to_numpy(zero_copy_only=False)[interactions.item])


def core(interactions: Interactions, k: int) -> tuple[Interactions, int]:
    """The largest part in which every user and every item has `k` interactions or more.

    It is unique, so items may be removed before or after a first call: core(keep(core(x))) equals
    core(keep(x)), and text need only be read for the items of core(x).

    Returns:
        The interactions, and the rounds of removal it took.

    Raises:
        ValueError: nothing is left.
    """
    left, rounds = interactions, 0
    while len(left):
        kept = (np.bincount(left.user) >= k)[left.user] & (np.bincount(left.item) >= k)[left.item]
        if kept.all():
            return left, rounds
        left, rounds = left.where(kept), rounds + 1
    before = interactions.counts()
    raise ValueError(
        f"No {k}-core: of {before['interactions']} interactions between {before['users']} users "
        f"and {before['items']} items none is left after {rounds} rounds of dropping users and "
        f"items with fewer than {k}. Use more reviews, or a smaller ingest.core."
    )


def renumber(
    interactions: Interactions, tie_seed: int = 0, ties_by_name: bool = True
) -> Interactions:
    """Number users and items densely by sorted name; sort rows by user and time.

    Amazon's times are whole days, so ties are common. They are broken by a hash of user and item:
    the same whatever the order of rows, and blind to how names sort. (Sorted by name, the test item
    of a tied day would be the one with the largest name, and that order would itself be learned.)

    Args:
        tie_seed: of the hash.
        ties_by_name: whether an item is hashed by its name, or by who has it and when: then the
            order stays the same when items are renamed, but for those that the same users have at
            the same times.
    """
    user, users = _dense(interactions.user, interactions.users)
    item, items = _dense(interactions.item, interactions.items)
    of_user = _hashes(users, tie_seed)[user]
    if ties_by_name:
        of_item = _hashes(items, tie_seed)
    else:
        of_item = np.zeros(len(items), np.uint64)
        np.add.at(of_item, item, _mixed(of_user + _mixed(interactions.time.astype(np.uint64))))
        # Items that the same users have at the same times can be told by their names alone.
        _, same, times = np.unique(of_item, return_inverse=True, return_counts=True)
        alike = times[same] > 1
        of_item[alike] += _hashes(items.filter(pa.array(alike)), tie_seed)
    tie = _mixed(of_user + GOLDEN * of_item[item])
    order = np.lexsort((tie, interactions.time, user))
    return Interactions(user, item, interactions.time, users, items).where(order)


def table_3(interactions: Interactions) -> dict[str, float]:
    """Table 3, and the numbers of leave-one-out examples that follow from it.

    Sparsity is a fraction, average_length interactions a user, repeats the interactions with an
    item that the user has had before.
    """
    counts = interactions.counts()
    users, items, total = counts["users"], counts["items"], counts["interactions"]
    length = np.bincount(interactions.user)
    return {
        **counts,
        "sparsity": 1 - total / (users * items),
        "average_length": total / users,
        "repeats": total - len(drop_repeats(interactions)),
        "train": int(np.maximum(length - 3, 0).sum()),
        "dev": users,
        "test": users,
    }


def write(
    read: Ingested,
    files: Sequence[str | Path],
    *,
    interactions: str,
    catalogue: str,
    users: str,
    report: str,
    statistics: str,
) -> None:
    """Write what an ingest makes: three tables, a report and Table 3.

    Args:
        read: what a source's `read` returned.
        files: what was read; the report names their sizes and SHA-256 sums.
        interactions, catalogue, users, report, statistics: paths to write; the catalogue is the
            table of items.
    """
    kept = read.interactions
    names = kept.items.to_pylist()
    rows = [read.texts.get(name, ItemText()) for name in names]
    ties = suspicions.ties(kept.user, kept.time)
    warnings = [
        *read.counted.get("warnings", []),
        *suspicions.of_times(kept.time, ties),
        *suspicions.of_roles(kept.users, kept.items, kept.item, kept.time, ties["tied_pairs"]),
        *suspicions.of_names(kept.users, "users"),
        *suspicions.of_names(kept.items, "items"),
        *suspicions.of_texts([(row.title, row.description) for row in rows]),
    ]
    for warning in warnings:
        job_log.warn(warning)
    artefacts.write_parquet(
        catalogue,
        pa.table(
            {
                "item": pa.array(np.arange(len(names), dtype=np.int32)),
                "asin": kept.items,
                "title": pa.array([row.title for row in rows], pa.string()),
                "description": pa.array([row.description for row in rows], pa.string()),
                "categories": pa.array([row.categories for row in rows], pa.list_(pa.string())),
                "brand": pa.array([row.brand for row in rows], pa.string()),
                "price": pa.array([row.price for row in rows], pa.string()),
            }
        ),
    )
    artefacts.write_parquet(
        users,
        pa.table(
            {
                "user": pa.array(np.arange(len(kept.users), dtype=np.int32)),
                "reviewer": kept.users,
            }
        ),
    )
    artefacts.write_parquet(
        interactions, pa.table({"user": kept.user, "item": kept.item, "time": kept.time})
    )
    artefacts.write_json(statistics, table_3(kept) | ties)
    artefacts.write_json(
        report,
        {
            "files": {_short(file, files): artefacts.fingerprint(file) for file in files},
            **read.counted,
            "without_title": sum(not row.title for row in rows),
            "without_text": sum(not (row.title or row.description) for row in rows),
            "kept": kept.counts(),
            "warnings": warnings,
        },
    )


def _hashes(names: pa.Array, seed: int) -> np.ndarray:
    """64 bits of every name."""
    key = seed.to_bytes(8, "little")
    digests = (
        hashlib.blake2b(name.encode(), digest_size=8, key=key).digest()
        for name in names.to_pylist()
    )
    return np.frombuffer(b"".join(digests), dtype="<u8")


def _mixed(x: np.ndarray) -> np.ndarray:
    """A permutation of 64 bits in which each depends on all (the finaliser of SplitMix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = x ^ (x >> np.uint64(31))
    return mixed


def _dense(code: np.ndarray, names: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Codes that count the names in use in sorted order, and these names."""
    used = np.unique(code)
    order = pc.sort_indices(names.take(used)).to_numpy()
    dense = np.zeros(len(names), dtype=np.int32)
    dense[used[order]] = np.arange(len(used))
    return dense[code], names.take(used[order])


def _short(file: str | Path, files: Sequence[str | Path]) -> str:
    """A file's name, or its path where another has the same name."""
    name = Path(file).name
    return name if [Path(one).name for one in files].count(name) == 1 else str(file)
