"""The search alone, over a network that is a table of probabilities."""

import numpy as np
import pytest
import torch

from lohrec.identifiers.beam_search import Steps, beam_search, free_search, lineage
from lohrec.identifiers.prefix_tree import PrefixTree

USERS, CODES, LEVELS = 3, 5, 4


class TableSteps:
    """p(codeword | user, prefix) for every prefix, drawn at random."""

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.tables = [
            torch.randn(USERS, CODES**level, CODES, dtype=torch.double).log_softmax(-1)
            for level in range(LEVELS)
        ]
        self.queries: list[int] = []

    def _at(self, level: int, prefix: torch.Tensor) -> torch.Tensor:
        self.prefix = prefix
        self.queries.append(prefix.shape[1])
        return self.tables[level][torch.arange(USERS)[:, None], prefix]

    def first(self) -> torch.Tensor:
        return self._at(0, torch.zeros(USERS, 1, dtype=torch.long))

    def next(self, level, parent, code) -> torch.Tensor:
        return self._at(level, self.prefix.gather(1, parent) * CODES + code)

    def log_p(self, ids: np.ndarray, legal: np.ndarray | None = None) -> torch.Tensor:
        """(users, len(ids)); with `legal` identifiers, normalised over their next codewords."""
        total = torch.zeros(USERS, len(ids), dtype=torch.double)
        for number, item in enumerate(ids):
            prefix = 0
            for level, code in enumerate(item):
                log_p = self.tables[level][:, prefix]
                if legal is not None:
                    alike = legal[(legal[:, :level] == item[:level]).all(1)]
                    log_p = log_p - log_p[:, np.unique(alike[:, level])].logsumexp(1, keepdim=True)
                total[:, number] += log_p[:, code]
                prefix = prefix * CODES + int(code)
        return total


def make(items: int = 60):
    ids = np.unique(np.random.default_rng(0).integers(0, CODES, (items, LEVELS)), axis=0)
    steps: Steps = TableSteps()
    return steps, ids, PrefixTree.from_ids(ids, CODES)


@pytest.mark.parametrize("renormalise", [False, True])
def test_a_search_of_full_width_equals_brute_force_over_all_items(renormalise):
    steps, ids, tree = make()
    score, order = steps.log_p(ids, ids if renormalise else None).sort(descending=True)
    beams = beam_search(steps, tree, len(ids), renormalise=renormalise)
    assert torch.equal(beams.leaf, order)
    torch.testing.assert_close(beams.score, score)
    assert steps.queries[0] == 1 and max(steps.queries) <= len(ids)


def test_short_lists_are_filled_up():
    steps, ids, tree = make(8)
    beams = beam_search(steps, tree, 20)
    assert beams.leaf.shape == beams.score.shape == (USERS, 20)
    assert (beams.leaf[:, len(ids) :] == -1).all() and (beams.leaf[:, : len(ids)] >= 0).all()
    assert [sorted(row) for row in beams.leaf.tolist()] == [
        [-1] * (20 - len(ids)) + list(range(len(ids)))
    ] * USERS
    assert torch.equal(beams.score == -torch.inf, beams.leaf == -1)


@pytest.mark.parametrize("beams", [10, 55])
def test_excluded_leaves_make_room_for_the_next(beams):
    steps, ids, tree = make()
    every = beam_search(steps, tree, len(ids)).leaf
    excluded = torch.cat([every[:, [0, 3, 4]], torch.full((USERS, 2), -1)], 1)
    excluded[1, :2] = -1
    wide = beam_search(steps, tree, beams, excluded)
    narrow = beam_search(steps, tree, beams)
    assert wide.leaf.shape == (USERS, beams)
    for row, left_out, before in zip(wide.leaf, excluded.tolist(), narrow.leaf, strict=True):
        row = row[row >= 0].tolist()
        assert len(row) == len(set(row)) and not set(row) & set(left_out)
        # What was found without the exclusion is there, in the same order.
        rest = [leaf for leaf in before.tolist() if leaf >= 0 and leaf not in left_out]
        assert [leaf for leaf in row if leaf in rest] == rest[: len(row)]


@pytest.mark.parametrize("beams", [3, 10])
def test_a_search_without_some_leaves_is_one_in_a_tree_that_lacks_them(beams):
    steps, ids, tree = make()
    rng = np.random.default_rng(1)
    # Of the first user all below two first codewords, too.
    left_out = [rng.choice(len(ids), 30, replace=False) for _ in range(USERS)]
    left_out[0] = np.flatnonzero(ids[:, 0] < 2)
    excluded = torch.full((USERS, max(map(len, left_out))), -1)
    for user, leaves in enumerate(left_out):
        excluded[user, : len(leaves)] = torch.from_numpy(leaves)
    excluded[1, 1] = excluded[1, 0]  # one twice
    left_out[1] = np.delete(left_out[1], 1)
    found = beam_search(steps, tree, beams, excluded)
    for user, leaves in enumerate(left_out):
        rest = np.delete(np.arange(len(ids)), leaves)
        wanted = beam_search(steps, PrefixTree.from_ids(ids[rest], CODES), beams)
        assert found.leaf[user].tolist() == rest[wanted.leaf[user]].tolist()
        assert torch.equal(found.score[user], wanted.score[user])


@pytest.mark.parametrize("beams", [7, CODES**LEVELS, 1000])
def test_where_nothing_forbids_all_identifiers_are_searched(beams):
    steps = TableSteps()
    digits = CODES ** torch.arange(LEVELS - 1, -1, -1)
    ids = torch.arange(CODES**LEVELS)[:, None] // digits % CODES
    score = steps.log_p(ids.numpy())
    found = free_search(steps, beams)
    number = (found.code * digits).sum(-1)
    number, many = number[:, : len(ids)], min(beams, len(ids))
    torch.testing.assert_close(found.score[:, :many], score.gather(1, number))
    if beams >= len(ids):
        assert torch.equal(number, score.argsort(descending=True))
        assert (found.score[:, many:] == -torch.inf).all()
        assert (found.code[:, many:] == -1).all()


def test_a_new_beam_attends_to_its_ancestors_and_itself():
    # Places 0 (the root), 1 and 2 (its children); three new beams of the parents 2, 1 and 2.
    ancestors = torch.tensor([[[True, True, False], [True, False, True]]])
    assert lineage(ancestors, torch.tensor([[1, 0, 1]])).tolist() == [
        [
            [True, False, True, True, False, False],
            [True, True, False, False, True, False],
            [True, False, True, False, False, True],
        ]
    ]
