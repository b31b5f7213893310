"""LC-Rec's JSON layout: published sequences, item texts and semantic identifiers."""

import re
import string
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lohrec.common import job_log
from lohrec.data.interactions import Ingested, Interactions
from lohrec.data.item_texts import ItemText, item_text
from lohrec.data.object_files import Names, whole_object
from lohrec.data.rejected import Rejected
from lohrec.data.sequences import SHORTEST

SETTINGS: dict[str, Any] = {}
TERMS = "those of LC-Rec and of the Amazon review data that its files are made from"
READS = ("most_rejected",)
FILES: dict[str, dict[str, Any]] = {
    "inter": {"file": "{category}.inter.json"},
    "index": {"file": "{category}.index.json"},
    "item": {"file": "{category}.item.json", "optional": True},
}

LEVELS = 4
CODES = 256

# Without leading zeros, so that no two tokens are one codeword.
_TOKEN = re.compile(r"<([a-z])_(0|[1-9][0-9]{0,8})>")
_NUMBER = re.compile("[0-9]{1,18}")
OWN = "source: table, recipe: lcrec trains identifiers of your own from the same files."


def read(paths: Mapping[str, Path], most_rejected: float = 1.0) -> Ingested:
    """Read the sequences as they were published: nothing is dropped.

    Args:
        paths: of `inter`, and of `item` if there are texts.
        most_rejected: the largest share of the items of `item` that may be unusable.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file has another layout or too many unusable items, or the texts are of none
            of the items.
    """
    inter, item = paths["inter"], paths.get("item")
    kept = read_inter(inter)
    cleaned: Counter[str] = Counter()
    texts, rejected = read_items(item, cleaned, most_rejected) if item else ({}, {})
    counted = {
        "lines": len(kept),
        "rejected": rejected,
        "cleaned": dict(sorted((+cleaned).items())),
        "repeats_dropped": 0,
        "without_metadata": len(set(kept.items.to_pylist()) - set(texts)),
        "core_rounds": 0,
    }
    print(f"{inter}: {kept.counts()}; {counted}")
    if item and counted["without_metadata"] == len(kept.items):
        raise ValueError(
            f"{item} has no item of {inter}. Use the item.json of the same data set, or none."
        )
    return Ingested(kept, texts, counted)


def read_inter(path: str | Path) -> Interactions:
    """Read `{user: [item, ...]}`, items in order of time, exactly as published.

    Users and items are numbered by the integer values of their names where all are such, and in the
    order of their names where not; the time of an interaction is its place in the list.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no such JSON; a name is there twice; a list has fewer than 3 items,
            or one that is neither text nor whole number; or an item is both.
    """
    sequences = whole_object(Path(path))
    bad = [user for user, items in sequences.items() if not isinstance(items, list)]
    if bad:
        raise ValueError(
            f"{path}: users {_first(bad)} have no list of items. Remove them, or add their items."
        )
    bad = [user for user, items in sequences.items() if len(items) < SHORTEST]
    if bad:
        raise ValueError(
            f"{path}: users {_first(bad)} have fewer than the {SHORTEST} items that leave-one-out "
            "needs. Remove them, or add their items."
        )
    bad = [user for user, items in sequences.items() if not all(_is_name(item) for item in items)]
    if bad:
        raise ValueError(
            f"{path}: items are texts or whole numbers from 0, unlike some of users {_first(bad)}. "
            "Use the items of index.json."
        )
    names = Names(Path(path), "an item")
    for item in chain.from_iterable(sequences.values()):
        names.add(item)
    names.check()
    users = _sorted(sequences)
    length = np.array([len(sequences[user]) for user in users])
    chosen = [str(item) for item in chain.from_iterable(sequences[user] for user in users)]
    items = _sorted(set(chosen))
    number = {name: place for place, name in enumerate(items)}
    return Interactions(
        np.repeat(np.arange(len(users), dtype=np.int32), length),
        np.fromiter(map(number.__getitem__, chosen), np.int32, len(chosen)),
        np.arange(len(chosen)) - np.repeat(np.cumsum(length) - length, length),
        pa.array(users, pa.string()),
        pa.array(items, pa.string()),
    )


def read_items(
    path: str | Path, cleaned: Counter[str] | None = None, most_rejected: float = 1.0
) -> tuple[dict[str, ItemText], dict[str, int]]:
    """Read `{item: {"title": ..., "description": ..., ...}}`.

    Args:
        cleaned: counts the texts by what was done to them.
        most_rejected: the largest share of the items that may be unusable.

    Returns:
        Cleaned text by item, and {reason: items rejected}.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no such JSON, or has too many unusable items.
    """
    texts = {}
    rejected = Rejected(path)
    records = whole_object(Path(path))
    for number, (item, record) in enumerate(records.items(), 1):
        try:
            if not isinstance(record, dict):
                raise TypeError("item")
            texts[item] = item_text(record, cleaned)
        except TypeError as error:
            rejected.add(f"wrong_type_{error}", number, item)
    rejected.check(len(records), most_rejected)
    if said := rejected.summary(len(records)):
        job_log.warn(said)
    return texts, rejected.counts()


def read_identifiers(path: str | Path, items: Sequence[str]) -> np.ndarray:
    """Read `{item: ["<a_12>", "<b_3>", "<c_200>", "<d_7>"]}`, with one to four tokens an item.

    Where items have fewer than four, all get the codeword 0 at the levels that are missing: after
    any prefix it is then the only one that goes on, so that nothing is to be chosen there.

    Args:
        path: an index.json; it may hold more items than are asked for.
        items: names, in the order of the rows wanted.

    Returns:
        int16 (items, 4), codewords 0 .. 255.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: items are missing, differ in their number of levels or have more than four, or
            have tokens that are none; or all have the same.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no {path} with identifiers. Put it there, or: {OWN}")
    index = whole_object(Path(path))
    missing = [item for item in items if item not in index]
    if missing:
        raise ValueError(
            f"{path} misses {len(missing)} of {len(items)} items: {_first(missing)}. "
            "Use the index that was made for these items."
        )
    (levels, _), *_ = Counter(_levels(index[item]) for item in items).most_common(1)
    wrong = [item for item in items if not 0 < _levels(index[item]) == levels <= LEVELS]
    if wrong:
        raise ValueError(
            f"{path}: identifiers are lists of 1 to {LEVELS} tokens, as many for all items, but "
            f"not those of {len(wrong)} items: {_first(wrong)}, where {wrong[0]} has "
            f"{index[wrong[0]]}, {_levels(index[wrong[0]])} levels. Use another index. {OWN}"
        )
    ids = np.zeros((len(items), LEVELS), dtype=np.int16)
    ids[:, :levels] = [
        [_codeword(token, level) for level, token in enumerate(index[item])] for item in items
    ]
    wrong = [item for item, row in zip(items, ids, strict=True) if row.min() < 0]
    if wrong:
        raise ValueError(
            f"{path}: tokens are <a_0> .. <a_{CODES - 1}> at the first level, <b_0> .. at the "
            f"second and so on, but not those of {len(wrong)} items: {_first(wrong)}, where "
            f"{wrong[0]} has {index[wrong[0]]}. Write the index in this layout."
        )
    if len(ids) > 1 and (ids == ids[0]).all():
        raise ValueError(
            f"{path}: all {len(ids):,} items have the identifier {index[items[0]]}, so nothing can "
            f"be told apart. Use another index. {OWN}"
        )
    return ids


def _is_name(item: Any) -> bool:
    return bool(item) if type(item) is str else type(item) is int and 0 <= item < 2**63


def _sorted(names: Collection[str]) -> list[str]:
    """By number where all are numbers, in the order of the letters where not."""
    numbers = all(map(_NUMBER.fullmatch, names))
    return sorted(names, key=(lambda name: (int(name), name)) if numbers else None)


def _levels(tokens: Any) -> int:
    return len(tokens) if isinstance(tokens, list) else 0


def _codeword(token: Any, level: int) -> int:
    """The codeword of a token at a level, or -1 if it is none."""
    match = _TOKEN.fullmatch(token) if isinstance(token, str) else None
    if not match or match[1] != string.ascii_lowercase[level] or int(match[2]) >= CODES:
        return -1
    return int(match[2])


def _first(names: Sequence[str], count: int = 5) -> str:
    return ", ".join(names[:count]) + (" ..." if len(names) > count else "")
