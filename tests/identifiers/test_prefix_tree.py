import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from lohrec.identifiers import prefix_tree
from lohrec.identifiers.prefix_tree import PrefixTree


@pytest.fixture(scope="module")
def ids():
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 256, (500, 4))
    ids[:, :2] //= 64
    ids[100:110] = ids[:10]  # colliding identifiers
    return ids


@pytest.mark.parametrize("dense", [True, False])
def test_children_are_the_prefixes_that_exist(ids, dense):
    tree = PrefixTree.from_ids(ids)
    assert tree.table is not None
    if not dense:
        tree = replace(tree, table=None)
    for depth in range(4):
        prefixes = np.unique(ids[:, :depth], axis=0) if depth else np.zeros((1, 0), int)
        nodes = torch.arange(-1, len(prefixes))
        child = tree.children(depth, nodes.view(1, -1))[0]
        assert (child[0] == -1).all()  # a node that is none has no children
        longer = np.unique(ids[:, : depth + 1], axis=0)
        for node, prefix in enumerate(prefixes):
            legal = np.flatnonzero((longer[:, :depth] == prefix).all(1))
            expected = np.full(256, -1)
            expected[longer[legal, depth]] = legal
            assert np.array_equal(child[node + 1].numpy(), expected)
        code = torch.from_numpy(ids[:, depth]).expand(len(nodes), -1)
        chosen = tree.child(depth, nodes.unsqueeze(1).expand(code.shape), code)
        assert torch.equal(chosen, child.gather(1, code))


def test_legal_codewords_and_certain_prefixes_are_those_of_all_items(ids):
    tree = PrefixTree.from_ids(ids)
    some = ids[::50]
    legal = tree.legal(torch.from_numpy(some))
    node = torch.zeros(len(some), dtype=torch.long)
    for depth in range(4):
        certain = tree.certain(depth, node)
        for row, item in enumerate(some):
            alike = np.unique(ids[(ids[:, :depth] == item[:depth]).all(1)], axis=0)
            assert legal[row, depth].nonzero().flatten().tolist() == sorted({*alike[:, depth]})
            assert certain[row] == (len(alike) == 1)
        child = tree.children(depth, node)
        node = child.gather(1, torch.from_numpy(some[:, depth : depth + 1]))[:, 0]


def test_leaves_are_the_sorted_identifiers(ids):
    tree = PrefixTree.from_ids(ids)
    distinct, number = np.unique(ids, axis=0, return_inverse=True)
    assert tree.leaves == len(distinct)
    assert np.array_equal(tree.identifiers(torch.arange(tree.leaves)).numpy(), distinct)
    assert np.array_equal(tree.leaf_of_item.numpy(), number.ravel())
    for leaf in range(tree.leaves):
        items = tree.item[tree.item_first[leaf] : tree.item_first[leaf + 1]].numpy()
        assert np.array_equal(np.sort(items), np.flatnonzero(number.ravel() == leaf))
    assert (tree.identifiers(torch.tensor([-1])) == -1).all()


@pytest.mark.parametrize("most", [prefix_tree.BELOW_BYTES, 0])
def test_below_a_node_are_its_children_in_the_order_of_their_codewords(
    ids, most, monkeypatch
) -> None:
    monkeypatch.setattr(prefix_tree, "BELOW_BYTES", most)
    tree = PrefixTree.from_ids(ids)
    for depth in range(4):
        nodes = torch.arange(-1, len(tree.first[depth]) - 1).view(1, -1)
        listed = tree.below(depth, nodes)
        assert listed.shape == (*nodes.shape, tree.widest[depth])
        for child, by_code in zip(listed[0], tree.children(depth, nodes)[0], strict=True):
            there = by_code[by_code >= 0]
            assert child[: len(there)].equal(there) and (child[len(there) :] == -1).all()


def test_the_path_of_a_leaf_goes_from_child_to_child(ids) -> None:
    tree, node = PrefixTree.from_ids(ids), torch.zeros(len(ids), dtype=torch.long)
    for depth, after in enumerate(tree.path(tree.leaf_of_item)):
        node = tree.child(depth, node, torch.from_numpy(ids[:, depth]))
        assert after.equal(node)
    assert all((nodes == -1).all() for nodes in tree.path(torch.tensor([-1])))


def test_an_identifier_is_used_up_by_all_of_its_items(ids):
    tree = PrefixTree.from_ids(ids)
    leaf = tree.leaf_of_item
    # 0 and 100 collide
    items = torch.tensor([[0, 200, -1], [0, 100, 200], [100, -1, -1], [0, 200, 0]])
    expected = [
        [-1, leaf[200], -1],
        [leaf[0], leaf[0], leaf[200]],
        [-1, -1, -1],
        [-1, leaf[200], -1],
    ]
    assert tree.used_up(items).tolist() == torch.tensor(expected).tolist()


def test_codewords_out_of_range(ids):
    wrong = np.flatnonzero((ids >= 100).any(1))[:3]
    said = f"0 .. 99 for at least 1 item; of 500, items {wrong.tolist()} have {ids[wrong].tolist()}"
    with pytest.raises(ValueError, match=re.escape(said)):
        PrefixTree.from_ids(ids, codes=100)
    with pytest.raises(ValueError, match="at least 1 item"):
        PrefixTree.from_ids(ids[:0])
