import numpy as np
import pytest
import torch

from lohrec.data.examples import Examples
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender import candidate_tree
from lohrec.recommender.decoding import best_leaves, recommend, searched
from lohrec.recommender.lists import Lists, Ranked
from lohrec.recommender.networks.t5 import T5

CONFIG = {
    "d_model": 32,
    "d_ff": 48,
    "heads": 2,
    "d_kv": 16,
    "layers": 1,
    "decoder_layers": 1,
    "dropout": 0.1,
    "codewords": "level",
    "causal_encoder": False,
    "recency": False,
}
DECODING = {
    "beams": 8,
    "top": 6,
    "rerank": 12,
    "batch_size": 3,
    "exclude_history": False,
    "renormalise": False,
}


def make():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    ids = np.unique(rng.integers(0, 6, (50, 4)), axis=0)
    sequences = rng.integers(0, len(ids), 40).astype(np.int32)
    start = np.array([0, 5, 10, 20, 30])
    stop = np.array([4, 6, 19, 25, 39])
    examples = Examples(sequences, np.arange(5, dtype=np.int32), start, stop)
    return T5(CONFIG).eval(), T5(CONFIG).eval(), examples, ids, PrefixTree.from_ids(ids)


def test_order_of_examples_and_batching_do_not_matter():
    model, _, examples, ids, tree = make()
    leaf, score = recommend(model, examples, ids, tree, DECODING, "all")
    alone, s = recommend(model, examples, ids, tree, DECODING | {"batch_size": 1}, "one by one")
    assert torch.equal(leaf, alone)
    torch.testing.assert_close(score, s, rtol=1e-4, atol=1e-4)


def test_histories_can_be_left_out():
    model, _, examples, ids, tree = make()
    leaf, _ = recommend(model, examples, ids, tree, DECODING | {"exclude_history": True}, "new")
    for row in range(len(examples)):
        history = examples.sequences[examples.start[row] : examples.stop[row]]
        assert not set(leaf[row].tolist()) & set(history.tolist())


def test_a_wider_search_takes_fewer_users_at_once():
    given = {"beams": 20, "batch_size": 64, "renormalise": False}
    found = searched(given, 20, True)
    assert (found["beams"], found["batch_size"]) == (20, 64)
    found = searched(given, 85, False)
    assert (found["beams"], found["batch_size"], found["exclude_history"]) == (85, 15, False)
    assert searched(given, 10_000, True)["batch_size"] == 1


def test_cascade_orders_the_retrievers_candidates_by_the_ranker():
    retriever, ranker, examples, ids, tree = make()
    found, _ = recommend(retriever, examples, ids, tree, DECODING | {"beams": 12, "top": 12}, "")
    leaf, score = recommend(retriever, examples, ids, tree, DECODING, "cascade", ranker)
    for row in range(len(examples)):
        items = examples.sequences[examples.start[row] : examples.stop[row]]
        history = torch.from_numpy(ids[items] + np.arange(4) * 256).reshape(1, -1)
        with torch.no_grad():
            candidates = tree.identifiers(found[row : row + 1])
            scores = candidate_tree.score(ranker, ranker.encode(history), candidates, tree).total[0]
        best = scores.argsort(descending=True)[:6]
        assert torch.equal(leaf[row], found[row][best])
        torch.testing.assert_close(score[row], scores[best], rtol=1e-4, atol=1e-4)


def test_lists_of_histories_are_those_of_examples():
    model, ranker, examples, ids, tree = make()
    histories = examples.histories(np.arange(len(examples))), examples.length
    for second in (None, ranker):
        leaf, score = best_leaves(model, *histories, ids, tree, DECODING, "items", second)
        expected = recommend(model, examples, ids, tree, DECODING, "examples", second)
        assert torch.equal(leaf, expected[0]) and torch.equal(score, expected[1])
        assert leaf.dtype == torch.int64 and leaf.shape == score.shape == (5, 6)


def test_an_empty_history_is_refused():
    model, _, _, ids, tree = make()
    items = np.array([[3, 4], [-1, -1]])
    with pytest.raises(ValueError, match="history of user 1 is empty"):
        best_leaves(model, items, np.array([2, 0]), ids, tree, DECODING, "empty")


def test_items_that_share_an_identifier_share_a_rank():
    ids = np.array([[1, 1, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]])
    tree = PrefixTree.from_ids(ids)
    leaf, score = torch.tensor([[1, 0], [0, -1]]), torch.tensor([[-1.0, -2.0], [-3.0, -torch.inf]])
    user = np.array([7, 9])

    def listed(*excluded) -> list[tuple]:
        found = Ranked.of_leaves(leaf, score, tree, *excluded)
        lists = Lists(found, 2, 2, list("abc"), np.zeros(2), np.zeros(2, bool))
        return [tuple(row.values()) for row in lists.table("test", user).to_pylist()]

    rows = listed()
    assert rows == [
        ("test", 7, 1, 0, -1.0),
        ("test", 7, 1, 2, -1.0),
        ("test", 7, 2, 1, -2.0),
        ("test", 9, 1, 1, -3.0),
    ]
    assert listed(np.array([[2, -1], [0, 2]])) == [rows[0], *rows[2:]]
