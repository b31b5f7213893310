import itertools

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity
from test_metrics import ITEMS, orders, random_lists

from lohrec.evaluation import diversity, ranked_lists


def distances(cosine, items):
    return [1 - cosine[i, j] for i, j in itertools.combinations(items, 2)]


def test_diversity_equals_the_mean_over_all_orders_of_tied_items(monkeypatch):
    monkeypatch.setattr(diversity, "CHUNK_BYTES", 7 * 6 * 4)  # seven users
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(ITEMS, 6))
    vectors[3] = 0
    cosine = cosine_similarity(vectors)
    user, rank, item = random_lists(rng, users=40, ranks=4, tie=0.6)
    lists = ranked_lists.from_arrays(user, rank, item, np.arange(40), ITEMS)
    got = diversity.intra_list(lists, vectors, [3, 5])
    for u, k in itertools.product(range(40), (3, 5)):
        eq17, usual = [], []
        for order in orders(rank[user == u], item[user == u]):
            top = order[:k]
            pairs, n = distances(cosine, top), len(top)
            eq17.append(2 / (n * (n + 1)) * np.sum(pairs))
            usual.append(np.mean(pairs))
        assert got[f"diversity@{k}"][u] == pytest.approx(np.mean(eq17), abs=1e-6)
        assert got[f"ild@{k}"][u] == pytest.approx(np.mean(usual), abs=1e-6)


def plain_lists(items):
    users, length = np.shape(items)
    return ranked_lists.from_arrays(
        np.repeat(np.arange(users), length),
        np.tile(np.arange(1, length + 1), users),
        np.ravel(items),
        np.arange(users),
        ITEMS,
    )


def test_eq_17_is_the_usual_diversity_times_a_constant_and_scale_does_not_matter():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(ITEMS, 5))
    lists = plain_lists([rng.permutation(ITEMS)[:10] for _ in range(30)])
    got = diversity.intra_list(lists, vectors, [10])
    assert got["diversity@10"] == pytest.approx(got["ild@10"] * 9 / 11)
    scaled = diversity.intra_list(lists, vectors * rng.uniform(0.1, 9, (ITEMS, 1)), [10])
    assert scaled["ild@10"] == pytest.approx(got["ild@10"], abs=1e-6)


def test_equal_vectors_have_no_diversity_and_orthogonal_ones_have_one():
    lists = plain_lists([[0, 1, 2, 3]])
    assert diversity.intra_list(lists, np.ones((ITEMS, 3)), [4])["ild@4"] == pytest.approx(
        0, abs=1e-6
    )
    assert diversity.intra_list(lists, np.eye(ITEMS), [4])["ild@4"] == pytest.approx(1)


def test_a_list_of_one_item_has_no_diversity_and_a_short_list_is_its_own_k():
    vectors = np.random.default_rng(2).normal(size=(ITEMS, 4))
    one = diversity.intra_list(plain_lists([[5]]), vectors, [5])
    assert one["ild@5"] == one["diversity@5"] == pytest.approx(0)
    three = plain_lists([[5, 6, 7]])
    got = diversity.intra_list(three, vectors, [3, 10])
    assert got["ild@10"] == got["ild@3"]


def test_vectors_that_are_not_finite_are_refused():
    vectors = np.ones((ITEMS, 2))
    vectors[4, 1] = np.nan
    with pytest.raises(ValueError, match="1 item vectors are not finite"):
        diversity.intra_list(plain_lists([[0, 1]]), vectors, [2])
