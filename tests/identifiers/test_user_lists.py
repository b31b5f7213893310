"""Batches, order and exclusion of the lists for many users."""

import numpy as np
import pytest
import torch

from lohrec.identifiers import user_lists
from lohrec.identifiers.prefix_tree import PrefixTree

IDS = np.array([[0, 0, 0, 0], [0, 0, 0, 1], [3, 3, 3, 3], [3, 3, 3, 3], [4, 0, 0, 0]])
ITEMS = np.array([[0, 2, 4], [1, -1, -1], [2, 3, -1], [4, 2, -1]], dtype=np.int32)
LENGTH = np.array([3, 1, 2, 2])
DECODING = {"top": 4, "batch_size": 3, "exclude_history": True}


def test_lists_come_back_in_the_order_of_users_without_what_they_have_had():
    tree, batches, left_out = PrefixTree.from_ids(IDS), [], {}

    def search(users, excluded):
        batches.append(users.tolist())
        left_out.update(zip(users.tolist(), excluded.tolist(), strict=True))
        number = torch.from_numpy(users)[:, None]
        return number.expand(-1, 2), number.float().expand(-1, 2)

    leaf, score = user_lists.best_leaves(search, ITEMS, LENGTH, tree, DECODING, "all")
    assert batches == [[1, 2, 3], [0]]
    assert leaf.tolist() == [[user, user, -1, -1] for user in range(4)]
    assert score.tolist() == [[user, user, -torch.inf, -torch.inf] for user in range(4)]
    # Items 2 and 3 share a leaf, which is left out where both were bought.
    assert left_out == {0: [0, -1, 3], 1: [1, -1], 2: [2, 2], 3: [3, -1]}


def test_nothing_is_left_out_unless_asked():
    def search(users, excluded):
        assert excluded is None
        return torch.zeros(len(users), 9, dtype=torch.long), torch.zeros(len(users), 9)

    decoding = DECODING | {"exclude_history": False}
    leaf, _ = user_lists.best_leaves(
        search, ITEMS, LENGTH, PrefixTree.from_ids(IDS), decoding, "all"
    )
    assert leaf.tolist() == [[0] * 4] * 4


def test_an_empty_history_is_refused():
    items, length = np.append(ITEMS, [[-1, -1, -1]], 0), np.append(LENGTH, 0)
    with pytest.raises(ValueError, match="history of user 4 is empty"):
        user_lists.best_leaves(
            lambda *_: pytest.fail(), items, length, PrefixTree.from_ids(IDS), DECODING, "all"
        )
