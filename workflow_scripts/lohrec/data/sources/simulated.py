"""Simulated shop: raw review and metadata files in the layout of the Amazon 2018 edition.

Order carries information at three distances. The last item points to the next instalment of its
series, to an accessory and to its brand; an accessory is followed by the next instalment of the
product *before* it; and a user drifts through neighbouring subcategories in one direction, which
only two items or more reveal. Popularity is skewed (Zipf) and knows none of this.
"""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from lohrec.common import artefacts, job_log

SETTINGS = {
    "users": {"type": "integer", "minimum": 1, "default": 1500, "description": "Users to draw."},
    "items": {"type": "integer", "minimum": 50, "default": 500, "description": "Items to draw."},
    "mean_length": {
        "type": "number", "exclusiveMinimum": 5, "default": 9.0,
        "description": "Reviews a user, on average.",
    },
    "seed": {"type": "integer", "default": 0, "description": "Another seed draws other reviews."},
}  # fmt: skip

LEAF_ITEMS = 12  # items a subcategory, on average
BRANCHES = 3  # subcategories a category, categories a department
BRANDS = 6  # brands a department
VOCABULARY = 6  # words that descriptions use for each node of the hierarchy

FOLLOW_SERIES = 0.4
BUY_ACCESSORY = 0.2
DRIFT = 0.6  # to the neighbouring subcategory, when nothing is followed
JUMP = 0.12  # to any subcategory

SHORT_USERS = 0.05  # users of fewer than five reviews
WITHOUT_METADATA = 0.01  # items that the metadata file lacks
DIRTY = 0.002  # share of lines added of each kind: broken, without a key, repeated
SAME_DAY = 0.12
DAY = 86_400
FIRST_DAY = 14_610  # 2010-01-01, in days since 1970
CHUNK = 20_000  # users drawn and written at a time; part of what a seed means

OPINIONS = [
    "Broke on the first day",
    "Not what I hoped for",
    "Does what it says",
    "Very pleased",
    "Would buy it again",
]
SUMMARIES = ["One Star", "Two Stars", "Three Stars", "Four Stars", "Five Stars"]
ACCESSORIES = ["Case", "Cable", "Stand", "Cover", "Battery", "Strap", "Guide", "Adapter"]


@dataclass(frozen=True)
class Catalogue:
    """Items as arrays of shape (items,), sorted by subcategory ("leaf") and product line.

    Attributes:
        leaf: subcategory; its category is leaf // 3, its department leaf // 9.
        line: product line (a series, a single product, and its accessory if it has one).
        instalment: number in the series from 1; 0 for an accessory.
        brand: brand; every product line belongs to one.
        sequel: the next instalment's item, -1 if there is none.
        accessory: the accessory of the item's line, -1 if none, or for an accessory itself.
        weight: how often an item is chosen unprompted, summing to 1.
    """

    leaf: np.ndarray
    line: np.ndarray
    instalment: np.ndarray
    brand: np.ndarray
    sequel: np.ndarray
    accessory: np.ndarray
    weight: np.ndarray

    def __len__(self) -> int:
        return len(self.leaf)


def make_catalogue(items: int, rng: np.random.Generator) -> Catalogue:
    """Draw a catalogue.

    Raises:
        ValueError: `items` is not in 50 .. 1,000,000 (a hierarchy needs some, names run out).
    """
    if not 50 <= items <= 1_000_000:
        raise ValueError(f"simulation.items is {items}; choose from 50 to 1,000,000.")
    mains = rng.integers(1, 6, size=items)  # 1 to 5 instalments; more lines than can be needed
    has_accessory = rng.random(items) < 0.5
    line = np.repeat(np.arange(items), mains + has_accessory)[:items]
    lines = line[-1] + 1
    first = np.searchsorted(line, np.arange(lines))
    instalment = np.arange(items) - first[line] + 1
    instalment[instalment > mains[line]] = 0

    leaves = items // LEAF_ITEMS
    leaf_of_line = np.arange(lines) * leaves // lines
    leaf = leaf_of_line[line]
    brand_of_line = leaf_of_line // BRANCHES**2 * BRANDS + rng.integers(BRANDS, size=lines)

    same_line = np.append(line[1:] == line[:-1], False)
    sequel = np.where(same_line & (np.append(instalment[1:], 0) > 0), np.arange(items) + 1, -1)
    line_accessory = np.full(lines, -1)
    line_accessory[line[instalment == 0]] = np.flatnonzero(instalment == 0)
    accessory = np.where(instalment > 0, line_accessory[line], -1)

    popularity = _zipf(leaves, 0.6, rng)[leaf_of_line] * _zipf(lines, 0.6, rng)
    weight = popularity[line] * np.where(instalment > 0, 0.6 ** (instalment - 1.0), 0.15)
    return Catalogue(
        leaf, line, instalment, brand_of_line[line], sequel, accessory, weight / weight.sum()
    )


def make_sequences(
    catalogue: Catalogue, users: int, mean_length: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the interactions of `users` users; no user meets an item twice.

    Returns:
        user, item and day (since 1970), each int64 (interactions,), by user and in the order in
        which things happened; days never fall within a user, and some are equal.

    Raises:
        ValueError: `mean_length`, the mean of users who are not cut short, is not above 5.
    """
    if mean_length <= 5:
        raise ValueError(f"simulation.mean_length is {mean_length}; it must be above 5.")
    length = 4 + rng.geometric(1 / (mean_length - 4), size=users)
    short = rng.random(users) < SHORT_USERS
    length[short] = rng.integers(1, 5, size=short.sum())

    cumulative = np.cumsum(catalogue.weight)
    leaves = catalogue.leaf[-1] + 1
    begin = np.searchsorted(catalogue.leaf, np.arange(leaves))
    end = np.append(begin[1:], len(catalogue))
    low = np.append(0, cumulative)[begin]
    mass = cumulative[end - 1] - low

    def choose(leaf: np.ndarray) -> np.ndarray:
        place = low[leaf] + rng.random(len(leaf)) * mass[leaf]
        return np.clip(np.searchsorted(cumulative, place, side="right"), begin[leaf], end[leaf] - 1)

    def any_leaf(size: int) -> np.ndarray:
        chosen = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
        return catalogue.leaf[np.minimum(chosen, len(catalogue) - 1)]

    history = np.full((users, length.max(initial=0)), -1)
    direction = rng.choice([-1, 1], size=users)
    leaf = any_leaf(users)
    main = choose(leaf)  # the last item that was no accessory
    last = np.full(users, -1)
    for step in range(history.shape[1]):
        active = np.flatnonzero(length > step)
        size = len(active)
        chance = rng.random(size)
        accessory = np.where(last[active] >= 0, catalogue.accessory[last[active]], -1)
        sequel = np.where(last[active] >= 0, catalogue.sequel[main[active]], -1)

        moved = leaf[active] + direction[active] * (rng.random(size) < DRIFT) * (step > 0)
        jump = rng.random(size) < JUMP
        moved = np.where(jump, any_leaf(size), moved % leaves)
        # Loyalty to a brand: of two choices, the second counts if it is the brand at hand.
        item, other = choose(moved), choose(moved)
        item = np.where(catalogue.brand[other] == catalogue.brand[main[active]], other, item)

        buys = (chance < BUY_ACCESSORY) & (accessory >= 0)
        item = np.where(buys, accessory, item)
        follows = (chance >= BUY_ACCESSORY) & (chance < BUY_ACCESSORY + FOLLOW_SERIES)
        item = np.where(follows & (sequel >= 0), sequel, item)

        known = (history[active, :step] == item[:, None]).any(axis=1)
        item = np.where(known, choose(moved), item)
        fresh = ~(history[active, :step] == item[:, None]).any(axis=1)
        active, item = active[fresh], item[fresh]
        history[active, step] = last[active] = item
        leaf[active] = catalogue.leaf[item]
        main[active] = np.where(catalogue.instalment[item] > 0, item, main[active])

    gap = np.where(rng.random(history.shape) < SAME_DAY, 0, rng.geometric(0.04, history.shape))
    day = FIRST_DAY + rng.integers(0, 2500, size=users)[:, None] + np.cumsum(gap, axis=1)
    user, step = np.nonzero(history >= 0)
    return user, history[user, step], day[user, step]


def write_simulation(
    reviews: str | Path, metadata: str | Path, users: int, items: int, mean_length: float, seed: int
) -> dict[str, int]:
    """Write both gzipped files of JSON lines; equal arguments give equal bytes.

    Args:
        reviews: lines with reviewerID, asin, overall, unixReviewTime, reviewText and summary, in
            no order; dirty lines are added, so that every drawn interaction is there once.
        metadata: lines with asin, title, description, category and brand.
        users, items: how many to draw; a 5-core keeps fewer.
        mean_length: mean interactions a user, above 5.

    Returns:
        Counts: interactions, and how many lines of each kind were added ("broken",
        "without_key", "repeated") or left out of the metadata ("items_without_metadata").
    """
    rng = np.random.default_rng([seed, 0])
    catalogue = make_catalogue(items, rng)
    asin = [f"B{_base36(k, 9, seed)}" for k in range(items)]
    leaf_names, lines = _describe(catalogue, asin, rng)
    present = rng.random(items) >= WITHOUT_METADATA
    present[rng.integers(items)] = False  # never none, however few the items
    lines = [line for line, keep in zip(lines, present.tolist(), strict=True) if keep]
    for more in _dirty(lines, "asin", rng).values():
        lines += more

    counts = {"interactions": 0, "items_without_metadata": int((~present).sum())}
    nouns = [leaf_names[leaf] for leaf in catalogue.leaf]
    bar = job_log.progress(None, "simulate reviews", total=users, unit=" users")
    with bar, artefacts.whole(metadata) as metadata_part, artefacts.whole(reviews) as reviews_part:
        with _gzip(metadata_part) as file:
            file.write(_shuffled(lines, rng))
        with _gzip(reviews_part) as file:
            for chunk, begin in enumerate(range(0, users, CHUNK)):
                size = min(CHUNK, users - begin)
                rng = np.random.default_rng([seed, 1, chunk])
                user, item, day = make_sequences(catalogue, size, mean_length, rng)
                names = [f"A{_base36(begin + k, 13, seed)}" for k in range(size)]
                lines = _review_lines(
                    [names[u] for u in user.tolist()],
                    [asin[i] for i in item.tolist()],
                    [nouns[i] for i in item.tolist()],
                    rng.choice(5, size=len(user), p=[0.04, 0.04, 0.08, 0.2, 0.64]).tolist(),
                    (day * DAY).tolist(),
                )
                counts["interactions"] += len(lines)
                for kind, more in _dirty(lines, "reviewerID", rng).items():
                    counts[kind] = counts.get(kind, 0) + len(more)
                    lines += more
                file.write(_shuffled(lines, rng))
                bar.update(size)
    return counts


def _review_lines(
    reviewers: list[str], asins: list[str], nouns: list[str], stars: list[int], times: list[int]
) -> list[str]:
    """One line a review; `stars` counts from 0. No value needs escaping, so no encoder runs."""
    return [
        f'{{"overall": {star + 1}.0, "reviewerID": "{reviewer}", "asin": "{asin}", '
        f'"reviewText": "{OPINIONS[star]}, this {noun}.", "summary": "{SUMMARIES[star]}", '
        f'"unixReviewTime": {time}}}\n'
        for reviewer, asin, noun, star, time in zip(
            reviewers, asins, nouns, stars, times, strict=True
        )
    ]


def _zipf(size: int, exponent: float, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(np.arange(1, size + 1) ** -exponent)


def _words(count: int, rng: np.random.Generator) -> list[str]:
    """Distinct pronounceable words: three open syllables and a last consonant."""
    consonants, vowels, endings = "bdfgklmnprstvz", "aeiou", "lmnrst"
    syllables = [c + v for c in consonants for v in vowels]
    shape = (len(syllables), len(syllables), len(syllables), len(endings))
    drawn = np.unravel_index(rng.choice(np.prod(shape), count, replace=False), shape)
    return [
        syllables[a] + syllables[b] + syllables[c] + endings[d]
        for a, b, c, d in zip(*drawn, strict=True)
    ]


def _base36(number: int, digits: int, seed: int) -> str:
    """An identifier that looks random; a bijection, as the factor has no divisor of 36."""
    rest = (number * 7_046_029_254_386_353_133 + seed * 15_485_863 + 911_382_323) % 36**digits
    text = ""
    for _ in range(digits):
        rest, digit = divmod(rest, 36)
        text += "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit]
    return text


def _describe(
    catalogue: Catalogue, asin: list[str], rng: np.random.Generator
) -> tuple[list[str], list[str]]:
    """Names of the leaves, and the metadata line of each item.

    Every node of the hierarchy has a name and a vocabulary, so that text tells near from far.
    """
    leaves = int(catalogue.leaf[-1]) + 1
    categories, departments = -(-leaves // BRANCHES), -(-leaves // BRANCHES**2)
    nodes = leaves + categories + departments
    brands, series = departments * BRANDS, int(catalogue.line[-1]) + 1
    words = _words(nodes * (1 + VOCABULARY) + brands + series, rng)
    names = [words.pop().capitalize() for _ in range(nodes + brands + series)]
    vocabulary = np.array(words).reshape(nodes, VOCABULARY)
    node_names, brand_names, series_names = (
        names[:nodes],
        names[nodes : nodes + brands],
        names[nodes + brands :],
    )

    lines = []
    chance = rng.random((len(catalogue), 4))
    # Three words of the subcategory, two of the category, one of the department.
    picks = rng.permuted(np.tile(np.arange(VOCABULARY), (len(catalogue), 3, 1)), axis=2)
    for i, leaf in enumerate(catalogue.leaf):
        path = [leaves + categories + leaf // BRANCHES**2, leaves + leaf // BRANCHES, leaf]
        top, middle, low = (vocabulary[n, p] for n, p in zip(path, picks[i], strict=True))
        brand, name = brand_names[catalogue.brand[i]], series_names[catalogue.line[i]]
        noun = node_names[leaf]
        if catalogue.instalment[i] == 0:
            title = f"{ACCESSORIES[leaf % len(ACCESSORIES)]} for {brand} {name} {noun}"
        elif catalogue.instalment[i] == 1 and catalogue.sequel[i] < 0:
            title = f"{brand} {name} {noun}"
        else:
            title = f"{brand} {name} {noun}, Volume {catalogue.instalment[i]}"
        if chance[i, 0] < 0.06:  # as shops write them
            title = [f"<b>{title}</b>", f"{title} &amp; Manual", f"{title} &#39;New&#39;"][i % 3]
        description = [
            f"A {low[0]} {low[1]} of {middle[0]} and {top[0]}.",
            f"{brand} made {name} {low[2]} for {middle[1]}.<br />Comes in a box.",
        ]
        item = {
            "asin": asin[i],
            "title": title,
            "description": description if chance[i, 1] >= 0.05 else [],
            "category": [node_names[n] for n in path] if chance[i, 2] >= 0.01 else [],
            "brand": brand if chance[i, 3] >= 0.03 else "",
        }
        lines.append(json.dumps(item) + "\n")
    return node_names[:leaves], lines


def _dirty(lines: list[str], key: str, rng: np.random.Generator) -> dict[str, list[str]]:
    """Damaged and repeated copies of a few lines, by kind; at least one of each kind."""
    count = int(np.ceil(len(lines) * DIRTY))
    broken, without, repeated = rng.integers(len(lines), size=(3, count)).tolist()
    return {
        "broken": [lines[i][: len(lines[i]) // 2] + "\n" for i in broken],
        "without_key": [_without(lines[i], key) for i in without],
        "repeated": [lines[i] for i in repeated],
    }


def _without(line: str, key: str) -> str:
    fields = json.loads(line)
    del fields[key]
    return json.dumps(fields) + "\n"


def _shuffled(lines: list[str], rng: np.random.Generator) -> bytes:
    return "".join([lines[i] for i in rng.permutation(len(lines)).tolist()]).encode()


@contextmanager
def _gzip(path: Path) -> Iterator[BufferedIOBase]:
    """A gzip file without its name and time, so that equal content is equal bytes."""
    with (
        open(path, "wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=3, fileobj=raw, mtime=0) as file,
    ):
        yield file
