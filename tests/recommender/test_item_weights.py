"""Recommenders without a network against counts and regressions, one item at a time."""

from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from test_item_networks import walks

from lohrec.data.catalogue import Catalogue, counts
from lohrec.recommender import item_weights
from lohrec.recommender.baselines import ease
from lohrec.recommender.inputs import Inputs
from lohrec.recommender.item_scores import best
from lohrec.recommender.recommender import Histories, named

ITEMS, USERS = 20, 30


@pytest.fixture(scope="module")
def train():
    return walks(USERS, ITEMS)


def fit(name, train, settings, exclude=True):
    catalogue = Catalogue(list(map(str, range(ITEMS))), [""] * ITEMS, counts(train, ITEMS))
    inputs = Inputs(train, train, catalogue, 20, decoding={"exclude_history": exclude})
    return named(name).fit(inputs, settings, 0)


def histories():
    return Histories(np.array([[3, 4, 5], [7, -1, -1], [2, 2, 9]]), np.array([3, 1, 3]))


def had(train):
    """The items that each user had up to the last train target."""
    return [
        set(train.sequences[train.start[own].min() : train.stop[own].max() + 1].tolist())
        for own in (train.user == user for user in range(USERS))
    ]


def test_last_item_counts_what_came_next(train):
    found = fit("last_item", train, {"smoothing": 2.0}).log_probabilities(histories()).exp()
    last = train.sequences[train.stop - 1].tolist()
    after = Counter(zip(last, train.target.tolist(), strict=True))
    count = counts(train, ITEMS) + 1
    for row, last in zip(found, [5, 7, 9], strict=True):
        n = sum(times for (item, _), times in after.items() if item == last)
        expected = [(after[last, j] + 2 * count[j] / count.sum()) / (n + 2) for j in range(ITEMS)]
        np.testing.assert_allclose(row, expected, rtol=1e-5)


def test_item_cosine_is_of_the_columns(train):
    found = fit("item_cosine", train, {})
    column = np.array([[item in own for item in range(ITEMS)] for own in had(train)], float)
    for history, row in zip([[3, 4, 5], [7], [2, 9]], found.scores(histories()), strict=True):
        expected = np.zeros(ITEMS)
        for k in history:
            for j in set(range(ITEMS)) - {k}:
                a, b = column[:, k], column[:, j]
                expected[j] += a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        np.testing.assert_allclose(row, expected, atol=3e-6)


def test_ease_is_a_ridge_regression_of_each_item_on_the_others(train):
    x = np.array([[item in own for item in range(ITEMS)] for own in had(train)], np.float32)
    found = ease.autoencoder(x.T @ x, 5.0)
    for j in range(ITEMS):
        others = np.delete(np.arange(ITEMS), j)
        of_j = Ridge(5.0, fit_intercept=False).fit(x[:, others].astype(float), x[:, j]).coef_
        np.testing.assert_allclose(found[others, j], of_j, atol=1e-5)
        assert found[j, j] == 0


def test_ease_recommends_by_the_sum_of_weights(train):
    found = fit("ease", train, {"penalty": 5.0})
    x = np.array([[item in own for item in range(ITEMS)] for own in had(train)], np.float32)
    weights = ease.autoencoder(x.T @ x, 5.0)
    expected = np.stack([weights[own].sum(0) for own in ([3, 4, 5], [7], [2, 9])])
    np.testing.assert_allclose(found.scores(histories()), expected, atol=3e-3)


@pytest.mark.parametrize("exclude", [True, False])
@pytest.mark.parametrize("name", ["item_cosine", "ease"])
def test_power_and_floor_are_the_best_of_those_tried_for_the_dev_targets(train, name, exclude):
    found = fit(name, train, {} if name == "item_cosine" else {"penalty": 5.0}, exclude)
    rows = np.arange(len(train))
    given = Histories(train.histories(rows).astype(np.int64), train.length)
    own = [set(train.sequences[a:b]) for a, b in zip(train.start, train.stop, strict=True)]
    # A target that is left out is none that can be told.
    told = [row for row in rows if not (exclude and train.target[row] in own[row])]
    assert len(told) > 40 and exclude == (len(told) < len(rows))

    def cost() -> float:
        p = found.log_probabilities(given).exp()
        assert torch.allclose(p.sum(1), torch.ones(len(rows)).double(), atol=1e-5)
        if exclude:
            for row, items in zip(p, own, strict=True):
                row[list(items)] = 0
        p /= p.sum(1, keepdim=True)
        return -p[told, train.target[told]].log().mean().item()

    kept, chosen = cost(), (found.power, found.floor)
    for power in item_weights.POWERS:
        for floor in item_weights.FLOORS:
            found.power, found.floor = float(power), float(floor)
            assert cost() > kept - 1e-5 or (power, floor) == chosen


def test_items_are_in_the_order_of_scores_and_then_of_popularity():
    weights = np.zeros((5, 5), np.float32)
    weights[0] = [0, 0.2, -0.3, 0.2001, 0]  # popularity must not put 1 before 3
    popular = item_weights.popularity(np.array([3, 8, 9, 0, 4]))
    found = ease.EASE(weights, popular)
    order = found.log_probabilities(Histories(np.array([[0]]), np.array([1]))).argsort(1)
    assert order.flip(1).tolist() == [[3, 1, 2, 4, 0]]


def test_popularity_orders_all_items_without_evidence():
    count = np.random.default_rng(0).permutation(800)
    found = ease.EASE(np.zeros((800, 800), np.float32), item_weights.popularity(count), 2.0, 0.02)
    given = Histories(np.array([[0]]), np.array([1]))
    assert best(found.log_probabilities(given), given, 800, False).item[0].tolist() == (
        np.argsort(-count).tolist()
    )


def test_a_penalty_that_leaves_no_inverse_is_refused():
    x = np.repeat(np.eye(3, dtype=np.float32), 2, axis=1) * 1000
    with pytest.raises(ValueError, match=r"raise recommenders\.ease\.penalty"):
        ease.autoencoder(x.T @ x, 1e-9)


def test_equal_items_come_in_the_order_of_numbers():
    log_p = torch.tensor([[0.1, 0.5, 0.5, 0.1, 0.5]])
    given = Histories(np.array([[2, -1]]), np.array([1]))
    assert best(log_p, given, 5, False).item.tolist() == [[1, 2, 4, 0, 3]]
    assert best(log_p, given, 5, True).item.tolist() == [[1, 4, 0, 3, -1]]


def test_a_short_list_begins_a_longer_one():
    """Also where it ends among equal items."""
    log_p = torch.randint(0, 6, (40, 3000), generator=torch.Generator().manual_seed(0)).float()
    given = Histories(np.zeros((40, 1), np.int64), np.ones(40, np.int64))
    whole = best(log_p, given, 3000, True).item
    for top in (1, 10, 600, 2999):
        assert torch.equal(best(log_p, given, top, True).item, whole[:, :top])
