"""How many examples have a teacher's probabilities, and how many candidates are ranked."""

from dataclasses import replace

import numpy as np
import pytest
import tiny_shop
import torch

from lohrec.identifiers.codewords import PAD
from lohrec.recommender.methods import generative
from lohrec.recommender.training_data import TrainingData, thinned


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


def given(shop, monkeypatch, share=1.0, candidates=None, dropped=0.0) -> TrainingData:
    """The data of a fit with these settings."""

    def train(data, *rest):
        raise Seen(data)

    monkeypatch.setattr(generative, "train", train)
    losses = {"distilled": {"share": share}, "margin_ranking": {"candidates": candidates}}
    with pytest.raises(Seen) as seen:
        settings = {"objective": {"losses": losses}, "training": {"dropped_items": dropped}}
        shop.fit("generative", settings)
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


@pytest.mark.parametrize("shared", [True, False])
def test_histories_are_thinned_and_keep_their_order(lessons, shared):
    train = lessons.train.aligned() if shared else lessons.train
    data = TrainingData(train, np.load(lessons.artefacts["ids"]).astype(int), shared=shared)
    rows = np.arange(len(train))
    whole, thin = data.batch(rows), replace(data, dropped=0.4).batch(rows)
    for example in range(len(rows)):
        row = example if whole.row is None else int(whole.row[example])
        (before, n), (after, m) = ((b.history[row], int(b.length[example])) for b in (whole, thin))
        if (before[n:] == PAD).all():  # the longest of its row
            assert (after[m:] == PAD).all()
        before, after = before[:n].view(-1, 4).tolist(), after[:m].view(-1, 4).tolist()
        assert after[0] == before[0]
        items = iter(before)
        assert all(item in items for item in after)  # a subsequence
    assert thin.padded and torch.equal(whole.candidates, thin.candidates)


def test_another_share_of_the_items_is_dropped_each_time(lessons, monkeypatch):
    assert given(lessons, monkeypatch, dropped=0.4).dropped == 0.4
    torch.manual_seed(0)
    rows, items = 500, 20
    history = torch.randint(0, PAD, (rows, items * 4))
    row, length = torch.arange(rows), torch.full((rows,), items * 4)
    (first, left), (second, _) = (thinned(history, row, length, 0.4) for _ in range(2))
    assert abs((left / 4 - 1).mean() - 0.6 * (items - 1)) < 0.5 and not torch.equal(first, second)
    every, whole = thinned(history, row, length, 0.0)
    assert torch.equal(every, history) and torch.equal(whole, length)


def test_the_first_candidates_are_ranked(lessons, monkeypatch):
    prior = np.load(lessons.artefacts["prior"])
    for candidates, left in ((4, 4), (16, 16), (20, 16), (None, 16)):
        found = given(lessons, monkeypatch, candidates=candidates).prior
        assert np.array_equal(found, prior[:, :left])
