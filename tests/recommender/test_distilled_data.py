"""How many examples have a teacher's probabilities, and how many candidates are ranked."""

from dataclasses import replace

import numpy as np
import pytest
import tiny_shop

from lohrec.recommender.methods import generative
from lohrec.recommender.training_data import TrainingData


class Seen(Exception):
    """What a training was given."""


@pytest.fixture(scope="module")
def lessons(shop):
    """The shop with a teacher's probabilities and candidates."""
    n, rng = len(shop.train), np.random.default_rng(0)
    np.save(shop.folder / "p.npy", rng.random((n, 4, 256)).astype(np.float16))
    np.save(shop.folder / "prior.npy", rng.integers(0, tiny_shop.ITEMS, (n, 16)).astype(np.int32))
    paths = {"probabilities": str(shop.folder / "p.npy"), "prior": str(shop.folder / "prior.npy")}
    return replace(shop, artefacts=shop.artefacts | paths)


def given(shop, monkeypatch, share=1.0, candidates=None) -> TrainingData:
    """The data of a fit with these settings."""

    def train(data, *rest):
        raise Seen(data)

    monkeypatch.setattr(generative, "train", train)
    losses = {"distilled": {"share": share}, "margin_ranking": {"candidates": candidates}}
    with pytest.raises(Seen) as seen:
        shop.fit("generative", {"objective": {"losses": losses}})
    return seen.value.args[0]


def test_a_share_of_the_examples_is_taught_and_a_larger_share_has_them_too(lessons, monkeypatch):
    some, more = (given(lessons, monkeypatch, share) for share in (0.3, 0.6))
    n = len(lessons.train)
    assert abs(some.taught.sum() - 0.3 * n) < 0.1 * n and abs(more.taught.sum() - 0.6 * n) < 0.1 * n
    assert (more.taught | ~some.taught).all()
    rows = np.arange(n)
    p, every = some.batch(rows).teacher.numpy(), np.load(lessons.artefacts["probabilities"])
    assert np.array_equal(p[some.taught], every[some.taught]) and not p[~some.taught].any()
    whole = given(lessons, monkeypatch).batch(rows).teacher.numpy()
    assert np.array_equal(whole, every)
    assert not given(lessons, monkeypatch, 0.0).batch(rows).teacher.any()


def test_the_first_candidates_are_ranked(lessons, monkeypatch):
    prior = np.load(lessons.artefacts["prior"])
    for candidates, left in ((4, 4), (16, 16), (20, 16), (None, 16)):
        found = given(lessons, monkeypatch, candidates=candidates).prior
        assert np.array_equal(found, prior[:, :left])
