from dataclasses import replace

import numpy as np
import pytest
import torch
from objectives import grouped
from torch import nn

from lohrec.common.training import adamw
from lohrec.data.examples import Examples
from lohrec.identifiers.beam_search import InTree, beam_search, tree_search
from lohrec.identifiers.codewords import CODES, LEVELS, PAD
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender import networks
from lohrec.recommender.decoding import recommend
from lohrec.recommender.networks import compact_steps
from lohrec.recommender.networks.compact import Compact
from lohrec.recommender.networks.compact_layers import FeedForward, SumForward
from lohrec.recommender.objective import objective
from lohrec.recommender.training_data import TrainingData

CONFIG = {
    "width": 32, "layers": 2, "heads": 2, "positions": 20, "dropout": 0.2, "pairs": 8,
    "codewords": "legal",
}  # fmt: skip
ONE_HOT = {"loss": "one_hot", "generation": 1.0, "ranking": 0.0, "losses": {"one_hot": {}}}
DWR = {
    "loss": "distilled", "mixture": 0.0, "smoothing": 0.1, "generation": 1.0, "ranking": 0.7,
    "margin": 0.1, "reduction": "mean", "ranked_target": True,
}  # fmt: skip
WINDOW = 20


def some_ids(rng, items: int, codes: int = 6) -> np.ndarray:
    """Distinct identifiers (items, levels) of few codewords, so that prefixes are shared."""
    number = rng.permutation(codes**LEVELS)[:items]
    return np.stack([number // codes**d % codes for d in range(LEVELS)], 1)


def walks(users: int = 30, items: int = 50) -> TrainingData:
    """Every prefix of random walks of 2 to 30 items, with candidates and a teacher's opinion."""
    rng = np.random.default_rng(0)
    length = rng.integers(2, 31, users)
    sequences = rng.integers(0, items, length.sum()).astype(np.int32)
    user = np.repeat(np.arange(users), length - 1).astype(np.int32)
    first = np.cumsum(length) - length
    stop = np.concatenate([np.arange(a + 1, a + n) for a, n in zip(first, length, strict=True)])
    examples = Examples(sequences, user, np.maximum(first[user], stop - WINDOW), stop).aligned()
    prior = np.stack([rng.permutation(items)[:9] for _ in user]).astype(np.int32)
    prior[:, 0] = examples.target
    prior[::3, 5:] = -1
    teacher = torch.from_numpy(rng.normal(size=(len(user), LEVELS, CODES))).softmax(-1).half()
    return TrainingData(examples, some_ids(rng, items), prior, teacher.numpy(), shared=True)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return walks()


def network(change: dict | None = None) -> Compact:
    torch.manual_seed(0)
    ids = torch.from_numpy(some_ids(np.random.default_rng(0), 50))
    return Compact.new(CONFIG | (change or {}), ids).eval()


def batch_with_every_item(data, rows):
    """Examples of their own rows, whose candidates are all items in order."""
    batch = replace(data, shared=False, prior=None).batch(rows)
    every = torch.from_numpy(data.ids).expand(len(rows), -1, -1)
    return replace(batch, candidates=every, real=torch.ones(every.shape[:2], dtype=torch.bool))


def test_probabilities_of_all_items_add_up_to_one(data):
    tree = PrefixTree.from_ids(data.ids)
    batch = batch_with_every_item(data, np.arange(0, 60, 7))
    legal = network().score(batch, tree).total.exp().sum(1)
    torch.testing.assert_close(legal, torch.ones_like(legal))
    assert (network({"codewords": "level"}).score(batch, tree).total.exp().sum(1) < 0.1).all()


@pytest.mark.parametrize("pairs", [0, 8])
@pytest.mark.parametrize("codewords", ["legal", "level"])
def test_a_search_of_full_width_equals_brute_force(data, codewords, pairs):
    model = network({"codewords": codewords, "pairs": pairs})
    tree = PrefixTree.from_ids(data.ids)
    batch = batch_with_every_item(data, np.arange(0, 60, 7))
    with torch.no_grad():
        score = model.score(batch, tree).total
    expected, item = score.sort(descending=True)
    by_code = beam_search(model.steps(batch.history), tree, len(data.ids), renormalise=model.legal)
    by_node = tree_search(model.tree_steps(batch.history, tree, model.legal), tree, len(data.ids))
    for found in (by_code, by_node):
        torch.testing.assert_close(found.score, expected, rtol=1e-5, atol=1e-5)
        assert torch.equal(found.leaf, tree.leaf_of_item[item])


@pytest.mark.parametrize(("users", "beams", "by_rows"), [(9, 7, []), (300, 20, [1, 2, 3])])
def test_a_search_asks_the_same_by_nodes_and_by_codewords(data, monkeypatch, users, beams, by_rows):
    """Step by step, along with beams that have no node; where there is no child, nothing counts.

    Many prefixes have the first product of a head by rows of a table."""
    model, tree = network(), PrefixTree.from_ids(data.ids)
    seen = []

    def noted(part, table):
        seen.append(list(model.heads).index(part))
        return SumForward(part, table)

    monkeypatch.setattr(compact_steps, "SumForward", noted)
    history = batch_with_every_item(data, np.arange(users)).history
    by_node = model.tree_steps(history, tree, renormalise=True)
    by_code = InTree(model.steps(history), tree, renormalise=True)
    rng, parent = torch.Generator().manual_seed(0), None
    node = torch.zeros(len(history), 1, dtype=torch.long)
    for level in range(tree.levels):
        with torch.no_grad():
            if parent is None:
                found, expected = by_node.first(), by_code.first()
            else:
                found, expected = (s.next(level, parent, node) for s in (by_node, by_code))
        child = tree.below(level, node)
        torch.testing.assert_close(found[child >= 0], expected[child >= 0])
        assert (found[(child < 0) & (node >= 0).unsqueeze(-1)] == -torch.inf).all()
        pick = torch.randint(child[0].numel(), (len(history), beams), generator=rng)
        parent, node = pick // child.shape[-1], child.flatten(1).gather(1, pick)
    assert (node < 0).any() and (node >= 0).any() and seen == by_rows


def test_a_feed_forward_part_of_sums_is_that_of_the_sums_but_for_a_constant():
    torch.manual_seed(0)
    part, table = FeedForward(16, 0.3).double().eval(), torch.randn(11, 16).double() + 0.5
    nn.init.normal_(part.norm.weight)
    nn.init.normal_(part.norm.bias)
    rows = torch.randint(len(table), (30, 3))
    other = SumForward(part, table)(rows) - part(table[rows].sum(1))
    torch.testing.assert_close(other, other[:, :1].expand_as(other))
    assert other.abs().max() > 0.1  # the sum's mean


def test_shared_rows_change_nothing_but_the_time(data):
    model, tree = network(), PrefixTree.from_ids(data.ids)
    settings = grouped(DWR)
    rows = np.flatnonzero(data.examples.user < 8)
    together = data.batch(rows)
    assert len(together.history) < len(rows) / 4 and together.padded
    found = objective(model, together, tree, settings)
    found["loss"].backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    apart = replace(data, shared=False)
    for row in rows:
        alone = objective(model, apart.batch(np.array([row])), tree, settings)
        (alone["loss"] / len(rows)).backward()
        for name, value in alone.items():
            found[name] = found[name] - value / len(rows)
    for value in found.values():
        torch.testing.assert_close(value, torch.zeros_like(value), rtol=0, atol=1e-5)
    for gradient, p in zip(gradients, model.parameters(), strict=True):
        torch.testing.assert_close(gradient, p.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("codewords", ["legal", "level"])
@pytest.mark.parametrize(
    "row",
    [
        {"loss": "smoothed"},
        {"loss": "distilled"},
        {"loss": "distilled", "ranking": 0.5},
        {"loss": "one_hot", "generation": 0.0, "ranking": 1.0},
    ],
    ids=["smooth", "distill", "dwr", "ranker"],
)
def test_every_kind_of_row_trains(data, row, codewords):
    model, tree = network({"codewords": codewords}).train(), PrefixTree.from_ids(data.ids)
    settings = grouped(DWR | row)
    batch, optimizer = data.batch(np.arange(80)), adamw(model, 3e-3, 0.0)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        loss = objective(model, batch, tree, settings)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert not model.pair.weight[-1].any()  # of pairs that no item has


def test_a_cascade_of_all_items_is_in_the_order_of_its_ranker(data):
    tree, retriever = PrefixTree.from_ids(data.ids), network()
    ranker = Compact(CONFIG).eval()
    rows, every = np.arange(0, 60, 7), len(data.ids)
    examples = data.examples
    windows = (array[rows] for array in (examples.user, examples.start, examples.stop))
    some = Examples(examples.sequences, *windows)
    decoding = {"beams": every, "rerank": every, "top": every, "batch_size": 4}
    decoding |= {"exclude_history": False, "renormalise": False}
    leaf, score = recommend(retriever, some, data.ids, tree, decoding, "", ranker)
    with torch.no_grad():
        expected = ranker.score(batch_with_every_item(data, rows), tree).total
    best, item = expected.sort(descending=True)
    torch.testing.assert_close(score, best, rtol=1e-5, atol=1e-5)
    assert torch.equal(leaf, tree.leaf_of_item[item])


def test_what_follows_and_what_is_padded_is_not_read():
    model = network()
    history = torch.randint(0, CODES, (3, 7 * LEVELS))
    longer = torch.cat([history, torch.full((3, 2 * LEVELS), PAD)], 1)
    torch.testing.assert_close(model.read(longer), model.read(history))
    row, length = torch.tensor([0, 2]), torch.tensor([4, 5]) * LEVELS
    part = [model.read(history[r : r + 1, :n])[0] for r, n in zip(row, length, strict=True)]
    torch.testing.assert_close(model.read(history, row, length), torch.stack(part))


def test_a_saved_network_is_the_same(data, tmp_path):
    model, tree = network(), PrefixTree.from_ids(data.ids)
    model.save(tmp_path)
    again = networks.load("compact", tmp_path)
    assert again.config == CONFIG and not again.training
    batch = data.batch(np.arange(20))
    assert torch.equal(again.score(batch, tree).total, model.score(batch, tree).total)
    ids = torch.from_numpy(data.ids)
    assert torch.equal(again.embed(ids), model.embed(ids)) and len(again.embed(ids)) == len(ids)


def test_heads_share_the_width_evenly():
    with pytest.raises(ValueError, match=r"is no multiple of networks.compact.heads \(5\)"):
        network({"heads": 5})


@pytest.mark.parametrize("place", [-1, -2, 0], ids=["last", "second last", "first"])
def test_learns_which_of_twenty_items_tells_the_next(place):
    rng, users, items, unseen = np.random.default_rng(0), 1500, 20, np.arange(1300, 1500)
    sequences = rng.integers(0, items, (users, WINDOW + 1)).astype(np.int32)
    sequences[:, -1] = rng.permutation(items)[sequences[:, :-1][:, place]]
    start = np.arange(users) * (WINDOW + 1)
    examples = Examples(sequences.ravel(), np.arange(users), start, start + WINDOW)
    data = TrainingData(examples, some_ids(rng, items), shared=True)
    tree, model = PrefixTree.from_ids(data.ids), network({"dropout": 0.0}).train()
    optimizer = adamw(model, 1e-2, 0.01)
    for _ in range(200):
        batch = data.batch(rng.choice(unseen[0], 64, replace=False))
        optimizer.zero_grad()
        loss = objective(model, batch, tree, ONE_HOT)["loss"]
        loss.backward()
        optimizer.step()
        if loss < 0.01:
            break
    with torch.no_grad():
        certain = model.eval().score(data.batch(unseen), tree).total.exp() > 0.5
    assert certain.float().mean() > 0.95


def test_a_pair_adds_its_product_to_the_logit_of_its_second_codeword(data):
    model, tree = network(), PrefixTree.from_ids(data.ids)
    batch = batch_with_every_item(data, np.arange(0, 60, 7))
    with torch.no_grad():
        model.read_pair.zero_()
        found = model.score(batch, tree).along[:, 1]
        state = model.read(batch.history)
        spread = (state.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
        state = (state - state.mean(1, keepdim=True)) / spread
        first = data.ids[0, 0]
        added = torch.zeros(len(state), CODES)
        for row, pair in enumerate(model.known.tolist()):
            if pair // CODES == first:
                added[:, pair % CODES] = state @ model.write_pair.T @ model.pair.weight[row]
        model.pair.weight.zero_()
        without = model.score(batch, tree).along[:, 1]
    assert added.any()
    torch.testing.assert_close(found, (without + added).log_softmax(-1), rtol=1e-4, atol=1e-5)


def test_an_item_of_an_unknown_pair_is_the_sum_of_its_codewords(tmp_path):
    model = network()
    unknown = torch.tensor([[200, 201, 1, 2]])
    level = torch.arange(LEVELS)
    expected = model.item.weight[unknown[0] + level * CODES].sum(0, keepdim=True)
    torch.testing.assert_close(model.embed(unknown), expected)
    known = torch.tensor([[*divmod(int(model.known[0]), CODES), 1, 2]])
    model.save(tmp_path)
    torch.testing.assert_close(Compact.load(tmp_path).embed(known), model.embed(known))
    assert not torch.equal(
        model.embed(known)[0], model.item.weight[known[0] + level * CODES].sum(0)
    )
