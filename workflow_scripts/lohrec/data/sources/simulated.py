"""Simulated reviews: raw files of the shop in the layout of the Amazon 2018 edition."""

import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np

from lohrec.common import artefacts, job_log
from lohrec.data import shop
from lohrec.data.interactions import Ingested
from lohrec.data.sources import amazon2018

SETTINGS: dict[str, Any] = {
    "users": {
        "type": "integer",
        "minimum": 1,
        "default": 1500,
        "description": "Users who are drawn; the core keeps fewer.",
    },
    "items": {
        "type": "integer",
        "minimum": 50,
        "default": 500,
        "description": "Items that are drawn; the core keeps fewer.",
    },
    "mean_length": {
        "type": "number",
        "exclusiveMinimum": 5,
        "default": 9.0,
        "description": "Mean interactions of a user, before the core.",
    },
    "seed": {
        "type": "integer",
        "minimum": 0,
        "maximum": 4294967295,
        "default": 0,
        "description": "Another seed draws another shop.",
    },
}
TERMS = "simulated by this program; anybody may use it"
READS = ("core", "tie_seed")
FILES = {
    "reviews": {"made": "resources/simulated/{dataset}/reviews.json.gz"},
    "metadata": {"made": "resources/simulated/{dataset}/metadata.json.gz"},
}

VOCABULARY = 6  # words that descriptions use for each node of the hierarchy
WITHOUT_METADATA = 0.01  # items that the metadata file lacks
DIRTY = 0.002  # share of lines added of each kind: broken, without a key, repeated
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


def read(paths: Mapping[str, Path], core: int, tie_seed: int = 0) -> Ingested:
    """Read what `write_simulation` wrote; see `amazon2018.read`."""
    return amazon2018.read(paths, core, tie_seed)


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
    catalogue = shop.make_catalogue(items, rng)
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
                user, item, day = shop.make_sequences(catalogue, size, mean_length, rng)
                names = [f"A{_base36(begin + k, 13, seed)}" for k in range(size)]
                lines = _review_lines(
                    [names[u] for u in user.tolist()],
                    [asin[i] for i in item.tolist()],
                    [nouns[i] for i in item.tolist()],
                    rng.choice(5, size=len(user), p=[0.04, 0.04, 0.08, 0.2, 0.64]).tolist(),
                    (day * shop.DAY).tolist(),
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
    catalogue: shop.Catalogue, asin: list[str], rng: np.random.Generator
) -> tuple[list[str], list[str]]:
    """Names of the leaves, and the metadata line of each item.

    Every node of the hierarchy has a name and a vocabulary, so that text tells near from far.
    """
    leaves = int(catalogue.leaf[-1]) + 1
    categories, departments = -(-leaves // shop.BRANCHES), -(-leaves // shop.BRANCHES**2)
    nodes = leaves + categories + departments
    brands, series = departments * shop.BRANDS, int(catalogue.line[-1]) + 1
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
        path = [
            leaves + categories + leaf // shop.BRANCHES**2,
            leaves + leaf // shop.BRANCHES,
            leaf,
        ]
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
