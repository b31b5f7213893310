import numpy as np
import pytest
from scipy.sparse import csr_array

from lohrec.data.cooccurrence import cooccurrences
from lohrec.data.examples import Examples
from lohrec.identifiers import collaborative
from lohrec.identifiers.codewords import CODES


def shop(groups: int, items: int, users: int) -> tuple[Examples, np.ndarray]:
    """Train examples of users who choose within one group of items, and the group of each item."""
    rng = np.random.default_rng(0)
    group = rng.permutation(np.repeat(np.arange(groups), items // groups))
    rows = [rng.permutation(np.flatnonzero(group == user % groups))[:6] for user in range(users)]
    start = np.repeat(np.arange(users) * 6, 5)
    stop = start + np.tile(np.arange(1, 6), users)
    sequences = np.concatenate(rows).astype(np.int32)
    return Examples(sequences, np.repeat(np.arange(users), 5), start, stop), group


def test_edges_count_the_users_who_had_both():
    train, _ = shop(3, 24, 20)
    graph = cooccurrences(train, 25).toarray()
    expected = np.zeros((25, 25))
    for user in range(20):
        own = train.sequences[user * 6 : user * 6 + 6]
        for a in own:
            for b in own:
                expected[a, b] += a != b
    assert np.array_equal(graph, expected)


def test_the_first_codeword_is_the_cluster():
    train, group = shop(4, 80, 400)
    ids = collaborative.identifiers(train, 80, 4, seed=0)
    pairs = set(zip(ids[:, 0].tolist(), group.tolist(), strict=True))
    assert len(pairs) == 4
    assert len(np.unique(ids, axis=0)) == 80
    assert np.array_equal(ids, collaborative.identifiers(train, 80, 4, seed=0))


def test_clusters_share_a_codeword_only_where_there_are_more_clusters_than_codewords():
    train, _ = shop(4, 800, 4000)
    ids = collaborative.identifiers(train, 800, 6, seed=0)
    clusters = [len(np.unique(ids[:, : level + 1], axis=0)) for level in range(4)]
    assert clusters[1] <= 36 and clusters[2] <= 216 and clusters[3] == 800
    assert [len(np.unique(codes)) for codes in ids.T] == [min(n, CODES) for n in clusters]


@pytest.mark.parametrize("items", [1, 3, 900])
def test_no_two_items_are_alike_whatever_the_graph(items):
    """Also where most items were never chosen, and there are fewer than clusters."""
    train = Examples(np.zeros(2, np.int32), np.zeros(1, int), np.zeros(1, int), np.ones(1, int))
    ids = collaborative.identifiers(train, items, 5, seed=0)
    assert len(np.unique(ids, axis=0)) == items and ids.min() >= 0 and ids.max() < CODES


def test_clusters_that_are_too_large_are_cut():
    code = collaborative._cut(np.array([5, 0, 5, 5, 0, 5, 5]), 2)
    assert code.tolist() == [1, 0, 1, 2, 0, 2, 3]


def test_a_large_graph_is_clustered_as_a_small_one(monkeypatch):
    train, group = shop(4, 400, 4000)
    graph = cooccurrences(train, 400).astype(float)
    assert isinstance(graph, csr_array)
    for dense in (0, 10**6):
        monkeypatch.setattr(collaborative, "DENSE", dense)
        label = collaborative.spectral(graph, 4, 0)
        assert len(set(zip(label.tolist(), group.tolist(), strict=True))) == 4


def test_items_without_others_are_one_cluster_of_a_large_graph(monkeypatch):
    monkeypatch.setattr(collaborative, "DENSE", 0)
    rng = np.random.default_rng(0)
    edges = np.zeros((300, 300))
    for _ in range(600):
        group = rng.integers(5)
        a, b = 50 * group + rng.integers(50, size=2)
        edges[a, b] = edges[b, a] = edges[a, b] + (a != b)
    alone = edges.sum(1) == 0
    assert 50 <= alone.sum() < 100
    label = collaborative.spectral(csr_array(edges), 8, 0)
    assert len(set(label[alone].tolist())) == 1
