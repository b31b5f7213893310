"""Probabilities of items as steps, their mean, and what is left without some: by plain sums."""

import numpy as np
import pytest
import torch

from lohrec.identifiers.beam_search import Steps, beam_search
from lohrec.identifiers.mixtures import ItemSteps, Mixture, Without
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


def along(steps: Steps, identifier: np.ndarray) -> torch.Tensor:
    """Log-probabilities of all codewords along one identifier, (users, levels, codes)."""
    only = torch.zeros(USERS, 1, dtype=torch.long)
    found = [steps.first()]
    for level in range(1, LEVELS):
        found.append(steps.next(level, only, only + int(identifier[level - 1])))
    return torch.cat(found, 1)


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
        found = along(ItemSteps(p.log(), tree), identifier).exp()
        torch.testing.assert_close(found, by_sums(p, ids, identifier), rtol=1e-4, atol=1e-6)


def test_a_mixture_is_the_mean_over_items(ids, tree) -> None:
    members = [some_items(seed) for seed in range(3)]
    for identifier in ids[:10]:
        mixed = Mixture([ItemSteps(p.log(), tree) for p in members], tree)
        expected = by_sums(torch.stack(members).mean(0), ids, identifier)
        torch.testing.assert_close(along(mixed, identifier).exp(), expected, rtol=1e-4, atol=1e-6)


def test_a_search_in_a_mixture_finds_the_most_probable_leaves(tree) -> None:
    members = [some_items(seed) for seed in range(2)]
    mixed = Mixture([ItemSteps(p.log(), tree) for p in members], tree)
    found = beam_search(mixed, tree, tree.leaves + 3, renormalise=True)
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
        steps = Without(lambda: ItemSteps(p.log(), tree), excluded, tree)
        found, expected = along(steps, identifier).exp(), by_sums(left, ids, identifier)
        kept = ~(excluded == one).any(1)  # of the others the last conditionals are not defined
        assert kept.any()
        torch.testing.assert_close(found[kept], expected[kept], rtol=1e-3, atol=1e-5)
    beams = beam_search(
        Without(lambda: ItemSteps(p.log(), tree), excluded, tree), tree, 5, renormalise=True
    )
    assert not (beams.leaf.unsqueeze(-1) == excluded.unsqueeze(1)).any()
