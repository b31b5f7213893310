"""A simulated shop: its catalogue, and what its users buy one after another.

Order carries information at three distances. The last item points to the next instalment of its
series, to an accessory and to its brand; an accessory is followed by the next instalment of the
product *before* it; and a user drifts through neighbouring subcategories in one direction, which
only two items or more reveal. Popularity is skewed (Zipf) and knows none of this.
"""

from dataclasses import dataclass

import numpy as np

LEAF_ITEMS = 12  # items a subcategory, on average
BRANCHES = 3  # subcategories a category, categories a department
BRANDS = 6  # brands a department

FOLLOW_SERIES = 0.4
BUY_ACCESSORY = 0.2
DRIFT = 0.6  # to the neighbouring subcategory, when nothing is followed
JUMP = 0.12  # to any subcategory

SHORT_USERS = 0.05  # users of fewer than five reviews
SAME_DAY = 0.12
DAY = 86_400
FIRST_DAY = 14_610  # 2010-01-01, in days since 1970


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
        item = np.searchsorted(cumulative, place, side="right")
        inside: np.ndarray = np.clip(item, begin[leaf], end[leaf] - 1)
        return inside

    def any_leaf(size: int) -> np.ndarray:
        item = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
        leaf: np.ndarray = catalogue.leaf[np.minimum(item, len(catalogue) - 1)]
        return leaf

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
    user, place = np.nonzero(history >= 0)
    return user, history[user, place], day[user, place]


def _zipf(size: int, exponent: float, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(np.arange(1, size + 1) ** -exponent)
