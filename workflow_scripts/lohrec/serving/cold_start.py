"""How good lists are on items that came after the training, and what they cost the others."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from lohrec.data.catalogue import Catalogue
from lohrec.data.examples import Examples
from lohrec.evaluation import bootstrap
from lohrec.identifiers import text_encoder
from lohrec.identifiers.text_vectors import unit
from lohrec.recommender.inputs import CPU
from lohrec.recommender.places import home
from lohrec.recommender.recommender import Recommender
from lohrec.serving import new_items
from lohrec.serving.item_files import NewItem

CUTOFFS = (10, 50)
MOST = 10_000  # interactions of a kind that are measured
RESAMPLES = 1000
RARE = 1 / 3


class Met(NamedTuple):
    """Interactions with new items.

    Attributes:
        history: for each, the names of the items that the user chose before, the oldest first.
        item: for each, the name of the new item.
        user: for each, the number of the user.
    """

    history: list[list[str]]
    item: list[str]
    user: list[int]


def met(
    user: np.ndarray, item: np.ndarray, names: Sequence[str], old: set[str], new: set[str]
) -> Met:
    """The interactions with new items of users who have chosen an old one before.

    Args:
        user, item: (interactions,), by user and time.
        names: of the items.
        old, new: names; other items are passed over.
    """
    found, history, last = Met([], [], []), list[str](), -1
    for own, number in zip(user.tolist(), item.tolist(), strict=True):
        if own != last:
            history, last = [], own
        if names[number] in old:
            history.append(names[number])
        elif names[number] in new and history:
            found.history.append(history.copy())
            found.item.append(names[number])
            found.user.append(own)
    return found


def measure(
    model: str | Path,
    items: Sequence[NewItem],
    others: Sequence[NewItem],
    met: Met,
    test: Examples,
) -> dict[str, Any]:
    """Recall@K before and after new items are added, and of popularity, chance and text alone.

    At most `MOST` interactions of each kind are drawn, and lists leave the history out. New items
    have no train interaction, so that popularity lists them last; chance is a random order of all;
    text alone lists what is nearest to the last item, of equally near ones the first in the
    catalogue. Interactions with the least popular old items, a share `RARE`, are measured once more
    by themselves.

    Args:
        model: the folder of a recommender.
        items: the new ones.
        others: with the texts of all that the recommender knows.
        met: interactions with new items.
        test: of the dataset that the recommender was fitted to: none of its targets is new.

    Returns:
        items, new_items, new, old and rare (interactions measured), and `recall`: {what: {cutoff:
        {mean, low, high}}} with 95 % intervals over users, where what is new,
        new_popularity, new_chance, new_text, old_before, rare_before (the least popular),
        old_after, old_change.

    Raises:
        ValueError: nobody has chosen a new item after an old one.
    """
    if not met.item:
        raise ValueError(
            f"Nobody has chosen one of the {len(items):,} new items after an old one, so there is "
            "nothing to measure: hold out more of them (sources.older_items.share)."
        )
    before = Recommender.load(model)
    names = before.catalogue.names
    drawn = np.random.default_rng(0).permutation(len(met.item))[:MOST].tolist()
    of_new = Met(
        [met.history[n] for n in drawn], [met.item[n] for n in drawn], [met.user[n] for n in drawn]
    )
    test = test.sample(MOST)
    histories = test.histories(np.arange(len(test)))
    of_old = Met(
        [[names[item] for item in row if item >= 0] for row in histories.tolist()],
        [names[item] for item in test.target.tolist()],
        list(range(len(test))),
    )
    with TemporaryDirectory() as folder:
        new_items.add(model, items, Path(folder) / "model")
        after = Recommender.load(Path(folder) / "model")
    vectors = _vectors(model, [*others, *items], after.catalogue)
    places = {
        "new": _places(after, of_new),
        "new_popularity": _popular(after, of_new),
        "new_text": _nearest(vectors, after.catalogue, of_new),
        "old_before": _places(before, of_old),
        "old_after": _places(after, of_old),
    }
    hits = {
        what: np.stack([place <= cutoff for cutoff in CUTOFFS], 1).astype(float)
        for what, place in places.items()
    }
    left = [len(after.catalogue) - len(set(history)) for history in of_new.history]
    hits["new_chance"] = np.minimum(np.array(CUTOFFS) / np.array(left)[:, None], 1)
    count = before.catalogue.count[test.target]
    rare = count <= np.quantile(count, RARE)
    hits["rare_before"] = hits["old_before"][rare]
    hits["old_change"] = hits["old_after"] - hits["old_before"]
    own = np.array(of_new.user)
    users = {what: own if what.startswith("new") else np.arange(len(hits[what])) for what in hits}
    return {
        "items": len(after.catalogue),
        "new_items": len(items),
        "new": len(of_new.item),
        "old": len(of_old.item),
        "rare": int(rare.sum()),
        "recall": {what: _interval(values, users[what]) for what, values in hits.items()},
    }


def _places(recommender: Recommender, met: Met) -> np.ndarray:
    """The place of each item in its list, infinite where it is not there."""
    lists = recommender.recommend(met.history, max(CUTOFFS), True)
    listed = ([name for name, _ in lists[row]] for row in range(len(lists)))
    both = zip(listed, met.item, strict=True)
    return np.array([own.index(item) + 1 if item in own else np.inf for own, item in both])


def _popular(recommender: Recommender, met: Met) -> np.ndarray:
    """The place of each item by train interactions; one that has none comes last."""
    catalogue = recommender.catalogue
    order = np.argsort(-catalogue.count, kind="stable")
    place = np.empty(len(order))
    place[order] = np.arange(1, len(order) + 1)
    own = [place[[catalogue.number[name] for name in set(history)]] for history in met.history]
    target = place[[catalogue.number[item] for item in met.item]]
    return np.array([at - (before < at).sum() for at, before in zip(target, own, strict=True)])


def _vectors(model: str | Path, items: Sequence[NewItem], catalogue: Catalogue) -> np.ndarray:
    """Vectors of the texts of a catalogue's items, of length 1, as the recommender's are made."""
    texts = {item.name: item for item in items}
    own = [texts[name] for name in catalogue.names]
    encoder = text_encoder.load(new_items.encoders(home(model))[0])
    return unit(encoder.encode([one.title for one in own], [one.description for one in own], CPU))


def _nearest(vectors: np.ndarray, catalogue: Catalogue, met: Met) -> np.ndarray:
    """The place of each item by its cosine to the last of the history."""
    found = []
    for names, name in zip(met.history, met.item, strict=True):
        history = [catalogue.number[name] for name in names]
        cosine = (vectors @ vectors[history[-1]]).round(6)  # equal texts are equally near
        cosine[history] = -np.inf
        target = catalogue.number[name]
        nearer, equal = cosine > cosine[target], cosine == cosine[target]
        found.append(np.sum(nearer) + np.sum(equal[:target]) + 1)
    return np.array(found)


def _interval(values: np.ndarray, user: np.ndarray) -> dict[str, dict[str, float]]:
    """Means over rows with their intervals, by cutoff; the rows of a user are drawn together."""
    of_user = np.unique(user, return_inverse=True)[1]
    sums = np.zeros((of_user.max() + 1, values.shape[1] + 1))
    np.add.at(sums, of_user, np.column_stack([values, np.ones(len(values))]))
    drawn = bootstrap.resampled_means(sums, RESAMPLES, 0)
    low, high = bootstrap.interval(drawn[:, :-1] / drawn[:, -1:])
    figures = zip(CUTOFFS, values.mean(0), low, high, strict=True)
    return {str(k): {"mean": float(m), "low": float(a), "high": float(b)} for k, m, a, b in figures}
