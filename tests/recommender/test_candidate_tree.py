import numpy as np
import pytest
import torch

from lohrec.identifiers.beam_search import beam_search
from lohrec.identifiers.codewords import LEVELS, PAD, tokens
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender import candidate_tree
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.networks.t5_tokens import START
from lohrec.recommender.training_data import Batch

CONFIG = {
    "d_model": 32,
    "d_ff": 48,
    "heads": 2,
    "d_kv": 16,
    "layers": 2,
    "decoder_layers": 2,
    "dropout": 0.0,
    "causal_encoder": False,
    "recency": False,
}


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("codewords", ["legal", "level", "all"])
def test_scores_and_gradients_equal_one_pass_a_candidate(full, codewords):
    torch.manual_seed(0)
    model = T5(CONFIG | {"codewords": codewords})
    ids = torch.randint(0, 3, (4, 7, LEVELS)) * 80  # shared prefixes, and whole repeats
    legal = PrefixTree.from_ids(ids.flatten(0, 1).numpy())
    history = tokens(torch.randint(0, 256, (4, 3, LEVELS))).flatten(1)

    score, along_first = candidate_tree.score(model, model.encode(history), ids, legal, full)
    score.square().sum().backward()
    ours = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()

    # Naive: repeat the history for every candidate and decode each as a plain sequence.
    memory = model.encode(history.repeat_interleave(7, 0))
    flat = ids.flatten(0, 1)
    start = torch.full((len(flat), 1), START)
    chain = torch.arange(LEVELS), torch.ones(1, LEVELS, LEVELS, dtype=torch.bool).tril()
    state, _ = model.decode(torch.cat([start, tokens(flat)[:, :-1]], 1), *chain, memory)
    every = legal.legal(flat).unbind(1) if codewords == "legal" else [None] * LEVELS
    log_p = [model.log_probabilities(state[:, d], d, every[d]) for d in range(LEVELS)]
    log_p = torch.stack(log_p, 1)
    column = flat + torch.tensor([model.first_code(d) for d in range(LEVELS)])
    naive = log_p.gather(2, column[..., None]).sum((1, 2)).view(4, 7)
    naive.square().sum().backward()

    torch.testing.assert_close(score, naive, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        along_first, log_p.view(4, 7, LEVELS, -1)[:, 0], rtol=1e-4, atol=1e-4
    )
    for a, p in zip(ours, model.parameters(), strict=True):
        torch.testing.assert_close(a, p.grad, rtol=1e-3, atol=1e-3)


def test_shared_prefixes_are_stored_once():
    ids = torch.tensor([[[1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 6, 4], [7, 2, 3, 4]]])
    tree = candidate_tree.build(ids)
    assert tree.width == [1, 2, 2, 3]
    assert tree.token.shape == (1, 8)
    assert torch.equal(tree.path[0, 0], tree.path[0, 1])  # they differ in the last codeword only


def test_prefixes_of_a_single_item_are_not_decoded():
    ids = torch.tensor([[[1, 2, 3, 4], [1, 2, 3, 5], [1, 6, 6, 4], [7, 2, 3, 4]]])
    tree = candidate_tree.build(ids, PrefixTree.from_ids(ids[0].numpy()))
    assert tree.real.place.tolist() == [0, 2, 4, 6]  # the root, (1), (1, 2) and (1, 2, 3)
    assert tree.certain[0].sum(-1).tolist() == [0, 0, 2, 3]
    for depth, codewords in enumerate([[1, 7], [2, 6], [3], [4, 5]]):
        place = tree.path[0, 0, depth] - sum(tree.width[:depth])
        assert tree.legal[depth][0, place].nonzero().flatten().tolist() == codewords


@pytest.mark.parametrize("causal", [False, True])
def test_probabilities_of_all_items_add_up_to_one_and_are_those_of_the_search(causal):
    torch.manual_seed(0)
    config = {"codewords": "legal", "causal_encoder": causal, "recency": True}
    model = T5(CONFIG | config).eval()
    torch.nn.init.normal_(model.recency.weight)
    rng = np.random.default_rng(0)
    # Some identifiers share all but the last codeword, and most are alone after two.
    ids = np.unique(rng.integers(0, 5, (70, LEVELS)) * [50, 50, 1, 1], axis=0)
    tree = PrefixTree.from_ids(ids)
    items = rng.integers(0, len(ids), (3, 6))
    history = tokens(torch.from_numpy(ids[items])).flatten(1)
    history[1, 8:] = PAD
    length = torch.tensor([24, 8, 24])
    every = torch.from_numpy(ids).expand(3, -1, -1)
    real = torch.ones(every.shape[:2], dtype=torch.bool)
    with torch.no_grad():
        total, along = model.score(Batch(history, True, None, length, every, real, None), tree)
    torch.testing.assert_close(total.exp().sum(1), torch.ones(3))
    assert torch.equal(along > -torch.inf, tree.legal(every[:, 0]))
    torch.testing.assert_close(along.exp().sum(-1), torch.ones(3, LEVELS))
    # Leaves are numbered in sorted order, and so are the rows of `ids`.
    search = beam_search(model.steps(history), tree, len(ids), renormalise=True)
    torch.testing.assert_close(search.score, total.gather(1, search.leaf), rtol=1e-4, atol=1e-4)
    assert torch.equal(search.leaf.sort(1).values, torch.arange(len(ids)).expand(3, -1))


def test_a_single_item_is_certain():
    model = T5(CONFIG | {"codewords": "legal"})
    ids = torch.tensor([[[1, 2, 3, 4]]])
    tree = PrefixTree.from_ids(ids[0].numpy())
    score = candidate_tree.score(model, model.encode(tokens(ids).flatten(1)), ids, tree)
    assert score.total.item() == 0
    assert score.along[0].exp().nonzero().tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]


def test_nothing_is_copied_from_the_host_into_a_tree_of_one_shape(monkeypatch):
    """A CUDA graph can record no such copy."""
    ids = torch.randint(0, 3, (4, 7, LEVELS))

    def refused(*_, **__):
        raise AssertionError("values come from the host")

    for place, name in ((torch.Tensor, "new_tensor"), (torch, "tensor"), (torch, "as_tensor")):
        monkeypatch.setattr(place, name, refused)
    built = candidate_tree.build(ids, full=True)
    assert built.path.shape == (4, 7, LEVELS)
    with pytest.raises(AssertionError, match="from the host"):
        ids.new_tensor([1, 2])
