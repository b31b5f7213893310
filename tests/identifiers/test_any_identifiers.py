"""What holds for any identifiers: tree and search against brute force, collisions for any shape."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lohrec.identifiers.beam_search import beam_search
from lohrec.identifiers.collisions import place, resolve
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.identifiers.rqvae import RQVAE

CODES, USERS = 4, 2
ONCE = settings(max_examples=60, deadline=None, derandomize=True, database=None)


@st.composite
def identifiers(draw: st.DrawFn) -> np.ndarray:
    """(items, levels), colliding ones among them."""
    shape = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    return draw(arrays.arrays(np.int64, shape, elements=st.integers(0, CODES - 1)))


class Steps:
    """Probabilities of every next codeword, from the codewords so far."""

    def __init__(self, levels: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.tables = [
            torch.randn(USERS, CODES**level, CODES, dtype=torch.double, generator=generator)
            .log_softmax(-1)
            for level in range(levels)
        ]  # fmt: skip

    def first(self) -> torch.Tensor:
        self.prefix = torch.zeros(USERS, 1, dtype=torch.long)
        return self.tables[0]

    def next(self, level, parent, code) -> torch.Tensor:
        self.prefix = self.prefix.gather(1, parent) * CODES + code
        return self.tables[level][torch.arange(USERS)[:, None], self.prefix]

    def log_p(self, user: int, item: tuple[int, ...]) -> float:
        prefix, total = 0, 0.0
        for level, code in enumerate(item):
            total += float(self.tables[level][user, prefix, code])
            prefix = prefix * CODES + code
        return total


@ONCE
@given(identifiers())
def test_the_leaves_of_a_tree_are_the_identifiers(ids: np.ndarray) -> None:
    tree = PrefixTree.from_ids(ids, CODES)
    there = sorted(set(map(tuple, ids.tolist())))
    assert list(map(tuple, tree.identifiers(torch.arange(tree.leaves)).tolist())) == there
    for item, row in enumerate(ids.tolist()):
        assert there[tree.leaf_of_item[item]] == tuple(row)
    legal = tree.legal(torch.from_numpy(ids))
    for item, row in enumerate(ids):
        for level in range(ids.shape[1]):
            alike = ids[(ids[:, :level] == row[:level]).all(1)]
            assert set(np.flatnonzero(legal[item, level])) == set(alike[:, level])


@ONCE
@given(identifiers(), st.integers(1, 20), st.integers(0, 9))
def test_every_beam_is_an_identifier_and_full_width_is_brute_force(
    ids: np.ndarray, beams: int, seed: int
) -> None:
    tree, steps = PrefixTree.from_ids(ids, CODES), Steps(ids.shape[1], seed)
    there = sorted(set(map(tuple, ids.tolist())))
    found = beam_search(steps, tree, beams)
    assert found.score.shape == (USERS, beams)
    for user in range(USERS):
        leaves = [leaf for leaf in found.leaf[user].tolist() if leaf >= 0]
        # Where fewer prefixes are legal than there are beams, none is lost.
        assert len(leaves) == len(set(leaves)) and len(leaves) <= min(beams, len(there))
        scores = found.score[user, : len(leaves)].tolist()
        assert np.allclose(scores, [steps.log_p(user, there[leaf]) for leaf in leaves])
        assert scores == sorted(scores, reverse=True)
        if beams >= len(there):
            order = sorted(there, key=lambda item: -steps.log_p(user, item))
            assert [there[leaf] for leaf in leaves] == order


@ONCE
@given(st.integers(1, 16), st.integers(1, 4), st.integers(0, 9), st.booleans())
def test_no_identifier_is_used_twice(items: int, distinct: int, seed: int, more: bool) -> None:
    torch.manual_seed(seed)
    model = RQVAE(2, [], 2, 3, CODES)
    model.codebooks.data = torch.randn(3, CODES, 2)
    latents = torch.randn(distinct, 2)[torch.arange(items) % distinct]  # many alike
    found = resolve(model, latents, epsilon=0.003, iterations=20, rounds=5)
    assert len(np.unique(found.final, axis=0)) == items
    assert found.final.min() >= 0 and found.final.max() < CODES
    assert sum(found.moved.values()) == items
    if items <= CODES and more:
        own = place(model, torch.randn(3, 2), found.final)
        assert len(np.unique(np.concatenate([found.final, own]), axis=0)) == items + 3
