"""Probabilities of items as steps, their mean, and what is left without some: by plain sums."""

import numpy as np
import pytest
import torch

from lohrec.identifiers.beam_search import TreeSteps, tree_search
from lohrec.identifiers.mixtures import (
    CELLS,
    ItemSteps,
    Mixture,
    WithNew,
    Without,
    log_probabilities,
    most_users,
    with_new,
)
from lohrec.identifiers.prefix_tree import PrefixTree

USERS, ITEMS, LEVELS, CODES = 5, 40, 3, 4


@pytest.fixture(scope="module")
def ids() -> np.ndarray:
    """Some items share an identifier, some prefixes have one item alone."""
    return np.random.default_rng(0).integers(0, CODES, (ITEMS, LEVELS))


@pytest.fixture(scope="module")
def tree(ids) -> PrefixTree:
    return PrefixTree.from_ids(ids, CODES)


def some_items(seed: int) -> torch.Tensor:
    """Probabilities, from about .5 to 1e-4."""
    logits = 2 * torch.randn(USERS, ITEMS, generator=torch.Generator().manual_seed(seed))
    return logits.softmax(-1)


def along(steps: TreeSteps, tree: PrefixTree, identifier: np.ndarray) -> torch.Tensor:
    """Probabilities of all codewords along one identifier, (users, levels, codes)."""
    only = torch.zeros(USERS, 1, dtype=torch.long)
    node, found = only, torch.zeros(USERS, LEVELS, CODES)
    for level in range(LEVELS):
        log_p = steps.next(level, only, node) if level else steps.first()
        child = tree.children(level, node[0, 0])
        there = (child >= 0).nonzero().flatten()
        found[:, level, there] = log_p[:, 0, : len(there)].exp()
        node = child[int(identifier[level])].expand_as(only)
    return found


def leaves_of(tree: PrefixTree) -> torch.Tensor:
    """All leaves, for every user."""
    return torch.arange(tree.leaves).expand(USERS, -1)


def by_sums(p: torch.Tensor, ids: np.ndarray, identifier: np.ndarray) -> torch.Tensor:
    """The same by adding up the items below each prefix."""
    out = torch.zeros(USERS, LEVELS, CODES)
    for level in range(LEVELS):
        before = (ids[:, :level] == identifier[:level]).all(1)
        for code in range(CODES):
            below = torch.from_numpy(before & (ids[:, level] == code))
            out[:, level, code] = p[:, below].sum(1) / p[:, torch.from_numpy(before)].sum(1)
    return out


def test_a_codeword_has_the_probability_of_the_items_below_it(ids, tree) -> None:
    p = some_items(0)
    for identifier in ids:
        found = along(ItemSteps(p.log(), tree), tree, identifier)
        torch.testing.assert_close(found, by_sums(p, ids, identifier), rtol=1e-4, atol=1e-6)


def test_fewer_users_at_once_where_there_are_many_items() -> None:
    for items in (10_000, 400_000):
        assert most_users(items) * items <= CELLS < (most_users(items) + 1) * items
    assert most_users(2 * CELLS) == 1


def test_a_mixture_is_the_mean_over_items(ids, tree) -> None:
    members = [some_items(seed) for seed in range(3)]
    for identifier in ids[:10]:
        mixed = Mixture([ItemSteps(p.log(), tree) for p in members], tree)
        expected = by_sums(torch.stack(members).mean(0), ids, identifier)
        torch.testing.assert_close(along(mixed, tree, identifier), expected, rtol=1e-4, atol=1e-6)


def test_a_search_in_a_mixture_finds_the_most_probable_leaves(tree) -> None:
    members = [some_items(seed) for seed in range(2)]
    mixed = Mixture([ItemSteps(p.log(), tree) for p in members], tree)
    found = tree_search(mixed, tree, tree.leaves + 3)
    of_leaf = torch.zeros(USERS, tree.leaves)
    of_leaf.index_add_(1, tree.leaf_of_item, torch.stack(members).mean(0))
    best = of_leaf.sort(descending=True)
    assert torch.equal(found.leaf[:, : tree.leaves], best.indices)
    torch.testing.assert_close(found.score[:, : tree.leaves].exp(), best.values)
    assert (found.leaf[:, tree.leaves :] == -1).all()


def test_without_some_items_the_others_keep_their_shares(ids, tree) -> None:
    p, rng = some_items(0), np.random.default_rng(1)
    bought = torch.from_numpy(np.stack([rng.permutation(ITEMS)[:6] for _ in range(USERS)]))
    excluded = tree.used_up(bought)
    assert (excluded < 0).any()
    gone = (tree.leaf_of_item[None, :, None] == excluded[:, None]).any(-1)
    left = p.masked_fill(gone, 0.0)
    for identifier in ids[:10]:
        one = tree.leaf_of_item[int((ids == identifier).all(1).argmax())]
        steps = Without(ItemSteps(p.log(), tree), excluded, tree)
        found, expected = along(steps, tree, identifier), by_sums(left, ids, identifier)
        kept = ~(excluded == one).any(1)  # of the others the last conditionals are not defined
        assert kept.any()
        torch.testing.assert_close(found[kept], expected[kept], rtol=1e-3, atol=1e-5)
    beams = tree_search(Without(ItemSteps(p.log(), tree), excluded, tree), tree, 5)
    assert not (beams.leaf.unsqueeze(-1) == excluded.unsqueeze(1)).any()


TRAINED = 22  # of the items; the others came later


@pytest.fixture(scope="module")
def grown(tree) -> PrefixTree:
    near = torch.rand(LEVELS, CODES, CODES, generator=torch.Generator().manual_seed(5)) + 0.1
    return tree.with_new(TRAINED, near + near.transpose(1, 2))


def by_likeness(
    p: torch.Tensor, ids: np.ndarray, identifier: np.ndarray, near: torch.Tensor
) -> torch.Tensor:
    """`by_sums`, but a new child has what its siblings have, by leaf and likeness."""
    said, out = by_sums(p, ids, identifier), torch.zeros(USERS, LEVELS, CODES)
    every, old = np.unique(ids, axis=0), np.unique(ids[:TRAINED], axis=0)
    for level in range(LEVELS):
        leaves, known = (
            np.bincount(
                some[(some[:, :level] == identifier[:level]).all(1), level], minlength=CODES
            )
            for some in (every, old)
        )
        for code in range(CODES):
            siblings = np.flatnonzero(known)
            if known[code]:
                out[:, level, code] = said[:, level, code]
            elif leaves[code]:
                like = near[level, code, siblings]
                mean = sum(
                    w * said[:, level, other] / leaves[other]
                    for w, other in zip(like / like.sum(), siblings, strict=True)
                )
                out[:, level, code] = leaves[code] * (mean if len(siblings) else 1.0)
        out[:, level] /= out[:, level].sum(-1, keepdim=True)
    return out


def test_a_new_child_has_what_its_siblings_have(ids, tree, grown) -> None:
    p, leaves = some_items(0), np.unique(ids, axis=0)
    is_old = (leaves[:, None] == np.unique(ids[:TRAINED], axis=0)).all(2).any(1)
    assert 5 < is_old.sum() < len(leaves) - 5

    def steps() -> TreeSteps:
        return WithNew(ItemSteps(p.log(), tree), grown)

    for identifier in leaves:
        expected = by_likeness(p, ids, identifier, grown.near)
        found = along(steps(), grown, identifier)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    every = log_probabilities(steps(), leaves_of(grown), grown).exp()
    torch.testing.assert_close(every.sum(1), torch.ones(USERS))  # a distribution
    assert every.min() > 0


def test_a_new_item_that_is_like_one_alone_has_what_that_has() -> None:
    ids = np.array([[0, 0], [0, 1], [0, 2], [1, 0]])
    tree = PrefixTree.from_ids(ids, CODES)
    near = torch.full((2, CODES, CODES), 1e-9)
    near[1, 2, 1] = near[1, 1, 2] = 1.0
    p = torch.tensor([[0.1, 0.5, 0.0, 0.4]])
    grown = tree.with_new(2, near)
    steps = WithNew(ItemSteps(p.log(), tree), grown)
    found = log_probabilities(steps, grown.leaf_of_item[None], grown).exp()[0]
    # The last item, new too, has a third of what the three others have: the mean of their leaves.
    expected = torch.tensor([1 / 11, 5 / 11, 5 / 11, 1 / 3]) * 3 / 4
    torch.testing.assert_close(found, expected)


def test_a_search_with_new_items_equals_brute_force(tree, grown) -> None:
    steps = with_new(ItemSteps(some_items(0).log(), tree), grown)
    every = log_probabilities(steps, leaves_of(grown), grown)
    found = tree_search(steps, grown, tree.leaves)
    best = every.sort(descending=True).values
    torch.testing.assert_close(found.score, best, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(every.gather(1, found.leaf), best, rtol=1e-4, atol=1e-5)


def test_where_nothing_is_new_the_network_has_the_word(tree) -> None:
    steps = ItemSteps(some_items(0).log(), tree)
    assert with_new(steps, tree) is steps


def test_weights_are_shares(tree) -> None:
    members, weights = [some_items(seed) for seed in range(3)], [0.5, 0.2, 0.3]
    mixed = Mixture([ItemSteps(p.log(), tree) for p in members], tree, weights)
    found = log_probabilities(mixed, leaves_of(tree), tree).exp()
    mean = sum(w * p for w, p in zip(weights, members, strict=True))
    expected = torch.zeros(USERS, tree.leaves).index_add_(1, tree.leaf_of_item, mean)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
