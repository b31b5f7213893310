"""What interactions and texts look like when something went wrong before they came here."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from lohrec.data import layout, times

MANY_TIES = 0.2  # share of pairs, or of users, above which ties are worth a word
MANY_ALIKE = 0.5  # share of the items that have one text
SAMPLE = 10_000  # names that are looked at
# As often as a user has several items at one time, an item may have several users.
APART = 10


def ties(user: np.ndarray, time: np.ndarray) -> dict[str, float]:
    """How often the order of a user's items is not in their times.

    Args:
        user: codes (interactions,), in blocks of rising code.
        time: of the same rows, rising within a user.

    Returns:
        {"tied_pairs": share of the pairs of consecutive items with one time,
        "tied_tests": share of the users whose last two items have one time}.
    """
    same = user[1:] == user[:-1]
    tied = same & (time[1:] == time[:-1])
    last = np.flatnonzero(np.diff(user, append=-1))  # the last row of each user
    of_last = tied[last[last > 0] - 1]
    return {
        "tied_pairs": float(tied.sum() / max(same.sum(), 1)),
        "tied_tests": float(of_last.sum() / max(len(last), 1)),
    }


def of_times(time: np.ndarray, ties: dict[str, float]) -> list[str]:
    """What a user should know of times, and of the shares that `ties` found among them."""
    said = []
    if len(time) > 1 and (time == time[0]).all():
        said.append(
            "every interaction has the same time: the order of items is drawn by ingest.tie_seed, "
            "and which item is left for the test is chance"
        )
    elif max(ties.values()) > MANY_TIES:
        said.append(
            f"{ties['tied_pairs']:.0%} of the pairs of a user's consecutive items have one time, "
            f"and for {ties['tied_tests']:.0%} of the users the test item has that of the item "
            "before it: their order is drawn by ingest.tie_seed, so the test set is partly chance"
        )
    if negative := int((time < 0).sum()):
        which = "all" if negative == len(time) else f"{negative:,} of {len(time):,}"
        said.append(
            f"{which} times are negative, so before 1970: the largest is taken for the last"
        )
    if early := int(times.early(time).sum()):
        said.append(
            f"{early:,} of {len(time):,} times are before 1973, unlike the others: 0 often stands "
            "for one that is missing, and they come first in their user's history"
        )
    return said


def of_roles(
    users: pa.Array, items: pa.Array, item: np.ndarray, time: np.ndarray, tied_pairs: float
) -> list[str]:
    """Users and items that look as if they were each other.

    Args:
        users, items: names.
        item: codes (interactions,).
        time: of the same rows.
        tied_pairs: of users, as `ties` says.
    """
    said = []
    names = users[:SAMPLE].to_pylist(), items[:SAMPLE].to_pylist()
    if layout.exchanged(*names, layout.CALLED_ITEM):
        said.append(
            f"users are called as items are ({names[0][0]}), and items are not ({names[1][0]}): "
            "are these columns exchanged?"
        )
    if APART * tied_pairs >= 1 or not times.tell_moments(time):
        return said
    order = np.lexsort((time, item))
    of_items = ties(item[order], time[order])["tied_pairs"]
    if of_items > max(MANY_TIES, APART * tied_pairs):
        said.append(
            f"{of_items:.0%} of the pairs of an item's consecutive users have one time, and "
            f"{tied_pairs:.0%} of those of a user's items; people do several things at once, so "
            "are these columns exchanged?"
        )
    return said


def of_names(names: pa.Array, what: str) -> list[str]:
    """Names that differ and may be meant for one, and those that a spreadsheet has rounded.

    Args:
        what: they name.
    """
    name = pl.col("name")
    plain = name.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"\p{Cf}", "")
    number = plain.str.replace(r"^(\d+)\.0+$", "${1}").str.replace(r"^0+(\d+)$", "${1}")
    frame = pl.DataFrame({"name": pl.Series(names)})
    groups = frame.group_by(number.alias("plain")).agg(name.sort()).filter(name.list.len() > 1)
    said = []
    if len(groups):
        first = sorted(groups["name"].to_list())[:3]
        shown = "; ".join(" and ".join(map(ascii, one)) for one in first)
        said.append(
            f"{len(groups):,} {what} differ from others by leading zeros, .0, letter case or signs "
            f"that nobody sees alone: {shown}"
        )
    rounded = frame.filter(name.str.contains(r"^\d(\.\d+)?[eE]\+\d+$"))["name"]
    if len(rounded):
        said.append(
            f"{len(rounded):,} {what} look like numbers that a spreadsheet has rounded "
            f"({rounded[0]}): several may be made one"
        )
    return said


def of_texts(texts: Sequence[tuple[str, str]]) -> list[str]:
    """Titles and descriptions that hardly tell items apart."""
    written = [text for text in texts if any(text)]
    if len(written) < 2:
        return []
    (text, count), *_ = Counter(written).most_common(1)
    if count <= MANY_ALIKE * len(written):
        return []
    shown = " ".join(text)[:60].strip()
    return [
        f"{count:,} of {len(written):,} items with a text have the same one ({shown!r}): texts do "
        "not tell them apart; text: {method: interactions} makes identifiers without them"
    ]
