import itertools

import numpy as np
import pytest
import torch

from lohrec.identifiers.beam_search import InTree, free_search, tree_search
from lohrec.identifiers.codewords import CODES, LEVELS, PAD, tokens
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.networks.t5_tokens import START

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


def make(codewords="level", items=60, seed=0):
    torch.manual_seed(seed)
    model = T5(CONFIG | {"codewords": codewords}).eval()
    rng = np.random.default_rng(seed)
    # Few codewords a level, so that prefixes are shared.
    ids = np.unique(rng.integers(0, 5, (items, LEVELS)) * 50, axis=0)
    history = tokens(torch.from_numpy(ids[rng.integers(0, len(ids), (3, 6))])).flatten(1)
    history[1, 8:] = PAD
    return model, ids, history


def search(model, history, tree, beams, top, excluded=None, renormalise=False):
    found = tree_search(model.tree_steps(history, tree, renormalise), tree, beams, excluded)
    return found.leaf[:, :top], found.score[:, :top]


def all_scores(model, ids, history):
    """log P of every item for every user, one plain decoder pass each."""
    chain = torch.arange(LEVELS), torch.ones(1, LEVELS, LEVELS, dtype=torch.bool).tril()
    scores = torch.empty(len(history), len(ids))
    for user, item in itertools.product(range(len(history)), range(len(ids))):
        target = torch.from_numpy(ids[item])
        token = torch.cat([torch.tensor([START]), tokens(target)[:-1]])[None]
        with torch.no_grad():
            state, _ = model.decode(token, *chain, model.encode(history[user : user + 1]))
            scores[user, item] = sum(
                model.log_probabilities(state[0, d], d)[model.first_code(d) + target[d]]
                for d in range(LEVELS)
            )
    return scores


@pytest.mark.parametrize("codewords", ["level", "all"])
def test_full_width_equals_brute_force(codewords):
    model, ids, history = make(codewords)
    score, order = all_scores(model, ids, history).sort(descending=True)
    # Leaves are numbered in sorted order, and so are the rows of `ids`.
    leaf, found = search(model, history, PrefixTree.from_ids(ids), len(ids), len(ids))
    torch.testing.assert_close(found, score, rtol=1e-4, atol=1e-4)
    assert torch.equal(leaf, order)


def test_renormalised_search_equals_brute_force_and_probabilities_add_up_to_one():
    model, ids, history = make()
    tree = PrefixTree.from_ids(ids)
    rows = [tuple(row) for row in ids.tolist()]
    wanted = torch.zeros(len(history), len(ids))
    chain = torch.arange(LEVELS), torch.ones(1, LEVELS, LEVELS, dtype=torch.bool).tril()
    for user, (number, item) in itertools.product(range(len(history)), enumerate(rows)):
        token = torch.cat([torch.tensor([START]), tokens(torch.tensor(item))[:-1]])[None]
        with torch.no_grad():
            state, _ = model.decode(token, *chain, model.encode(history[user : user + 1]))
        for d in range(LEVELS):
            legal = sorted({row[d] for row in rows if row[:d] == item[:d]})
            log_p = model.log_probabilities(state[0, d], d)[legal].log_softmax(-1)
            wanted[user, number] += log_p[legal.index(item[d])].detach()
    score, order = wanted.sort(descending=True)
    leaf, found = search(model, history, tree, 99, len(ids), renormalise=True)
    torch.testing.assert_close(found, score, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.logsumexp(1), torch.zeros(len(history)), rtol=0, atol=1e-4)
    assert torch.equal(leaf, order)


@pytest.mark.parametrize("alone", [False, True])
def test_what_leaves_no_choice_is_not_decoded(alone, monkeypatch):
    """And step by step the answers are those of a search that decodes everything."""
    model, ids, history = make("legal", items=60)
    if alone:  # the first codeword tells the item
        ids = np.unique(ids[:, 0])[:, None] + np.zeros_like(ids[:1])
    tree = PrefixTree.from_ids(ids)
    decoded, decode = [], model.decode

    def noted(token, *rest):
        decoded.append(token.numel() if rest[-1] is None else len(rest[-1].place))
        return decode(token, *rest)

    skips = model.tree_steps(history, tree, renormalise=True)
    every = InTree(model.steps(history), tree, renormalise=True)
    parent, node = None, torch.zeros(len(history), 1, dtype=torch.long)
    with torch.no_grad():
        for level in range(LEVELS):
            expected = every.first() if parent is None else every.next(level, parent, node)
            monkeypatch.setattr(model, "decode", noted)
            found = skips.first() if parent is None else skips.next(level, parent, node)
            monkeypatch.undo()
            child = tree.below(level, node)
            torch.testing.assert_close(found[child >= 0], expected[child >= 0])
            number = (child.flatten(1)[0] >= 0).nonzero().T.expand(len(history), -1)  # all nodes
            parent, node = number // child.shape[-1], child.flatten(1).gather(1, number)
    prefixes = [ids[:, :level].tolist() for level in range(LEVELS)]
    choices = [len({tuple(p) for p in of if of.count(p) > 1}) for of in prefixes]
    assert decoded == [count * len(history) for count in choices] and choices[0] == 1
    assert (choices[1:] == [0, 0, 0]) == alone


def test_more_beams_than_items():
    model, ids, history = make(items=5)
    leaf, score = search(model, history, PrefixTree.from_ids(ids), 20, 20)
    for row, s in zip(leaf, score, strict=True):
        assert sorted(row[: len(ids)].tolist()) == list(range(len(ids)))
        assert (row[len(ids) :] == -1).all() and (s[len(ids) :] == -torch.inf).all()


@pytest.mark.parametrize("beams", [1, 4, 20])
def test_lists_are_items_without_repeats_in_order(beams):
    model, ids, history = make(items=200)
    leaf, score = search(model, history, PrefixTree.from_ids(ids), beams, beams)
    for row, s in zip(leaf, score, strict=True):
        assert len(set(row.tolist())) == beams and row.min() >= 0 and row.max() < len(ids)
        assert (s.diff() <= 0).all()


def test_excluded_leaves_are_left_out_and_nothing_else_changes():
    model, ids, history = make(items=80)
    tree = PrefixTree.from_ids(ids)
    every, _ = search(model, history, tree, len(ids), len(ids))
    excluded = torch.cat([every[:, [0, 3]], torch.full((3, 1), -1)], 1)
    leaf, _ = search(model, history, tree, len(ids), 10, excluded)
    for row, before, out in zip(leaf, every, excluded, strict=True):
        assert row.tolist() == [x for x in before.tolist() if x not in out.tolist()][:10]


@pytest.mark.parametrize("codewords", ["legal", "level", "all"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("recency", [False, True])
def test_equals_transformers_generate(codewords, causal, recency, tmp_path):
    """The same ordered lists as `generate` with a prefix function and the same normalisation."""
    from lohrec.benchmarks.transformers_t5 import Generate

    torch.manual_seed(0)
    change = {"codewords": codewords, "causal_encoder": causal, "recency": recency}
    model = T5(CONFIG | change).eval()
    if recency:
        torch.nn.init.normal_(model.recency.weight)
    model.save(tmp_path)
    _, ids, history = make(items=300)
    history = history[[0, 2]]  # of equal length
    tree = PrefixTree.from_ids(ids)
    leaf, _ = search(model, history, tree, 20, 20, renormalise=model.legal)
    assert torch.equal(tokens(tree.identifiers(leaf)), Generate(tmp_path, ids)(history, 20))


def test_without_constraint_beams_are_the_most_probable_of_all_codewords():
    """Of other levels too, as a search over every token that the network can write finds them."""
    model, ids, history = make(codewords="all")
    found = free_search(model.free_steps(history), 300)
    first = torch.arange(LEVELS) * CODES
    token = (found.code + first) % (LEVELS * CODES)
    for user in range(len(history)):
        assert len(token[user].unique(dim=0)) == 300
        own = all_scores(model, (token[user, :20] - first).numpy(), history[user : user + 1])[0]
        torch.testing.assert_close(found.score[user, :20], own, rtol=1e-4, atol=1e-4)
    assert (found.code >= CODES).any()
    # What the constrained search finds is no better.
    best = search(model, history, PrefixTree.from_ids(ids), 300, 1)[1]
    assert (best <= found.score[:, :1] + 1e-5).all()


def test_the_leaf_of_codewords_is_their_items_or_none():
    _, ids, _ = make(items=80)
    tree = PrefixTree.from_ids(ids)
    assert torch.equal(tree.leaf(torch.from_numpy(ids)), tree.leaf_of_item)
    wrong = torch.from_numpy(ids).clone()
    wrong[0, 2], wrong[1, 0], wrong[2] = 300, -1, 255 - wrong[2]
    assert (tree.leaf(wrong)[:3] < 0).all() and torch.equal(
        tree.leaf(wrong)[3:], tree.leaf_of_item[3:]
    )
