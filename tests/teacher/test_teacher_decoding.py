"""Lists by a teacher for histories of any users."""

import numpy as np
import pytest
import tiny_llama
import torch

from lohrec.identifiers.codewords import token_table
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.teacher.beams import PromptSteps, continue_prompts, items_only, read_prompts
from lohrec.teacher.decoding import best_leaves
from lohrec.teacher.model import build_llama
from lohrec.teacher.prompts import prompt_tokens
from lohrec.teacher.text_tasks import Phrasing
from lohrec.teacher.tokenizers import add_codewords, first_codeword, train_tokenizer

SETTINGS = {"hidden": 32, "layers": 1, "heads": 2, "intermediate": 48, "dropout": 0.0, "seed": 0}
DECODING = {
    "beams": 12,
    "top": 6,
    "batch_size": 2,
    "exclude_history": True,
    "renormalise": False,
}
ITEMS = np.array([[3, 1, 4], [1, -1, -1], [5, 9, -1], [2, -1, -1], [6, 5, 3]], dtype=np.int32)
LENGTH = np.array([3, 1, 2, 1, 3])


@pytest.fixture(scope="module")
def network():
    network = build_llama(SETTINGS).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(4)
    return network


def with_words():
    tokenizer = train_tokenizer([*tiny_llama.TITLES, "After come"], 300)
    network = build_llama(SETTINGS, tokenizer).eval()
    add_codewords(tokenizer, network, 0)
    return network, (tokenizer, Phrasing("After {history} come", "{target}"))


@pytest.mark.parametrize("words", [False, True])
def test_lists_are_those_of_every_user_alone(network, words):
    ids = tiny_llama.identifiers()
    tree, known = PrefixTree.from_ids(ids), None
    if words:
        network, known = with_words()
    leaf, score = best_leaves(
        network, known, ITEMS, LENGTH, ids, tree, DECODING, True, "constrained"
    )
    assert leaf.shape == score.shape == (5, 6) and (leaf >= 0).all()
    for user, n in enumerate(LENGTH):
        history = ITEMS[user, :n]
        if words:
            pairs = [zip("abcd", ids[item], strict=True) for item in history]
            text = "".join(f"<{level}_{code}>" for pair in pairs for level, code in pair)
            tokens = torch.tensor([known[0](f"After {text} come")["input_ids"]])
        else:
            tokens = prompt_tokens(history[None], token_table(ids))
        excluded = tree.used_up(torch.from_numpy(history[None]).long())
        first = first_codeword(known[0]) if words else 0
        row, length = torch.zeros(1, dtype=torch.long), torch.tensor([tokens.shape[1]])
        with torch.inference_mode():
            beams = continue_prompts(
                network, read_prompts(network, tokens), row, length, 12, tree, excluded, first
            )
        assert torch.equal(leaf[user], beams.leaf[0, :6])
        torch.testing.assert_close(score[user], beams.score[0, :6], atol=1e-4, rtol=0)
        assert not set(leaf[user].tolist()) & set(excluded[0].tolist())


def test_where_no_beam_is_an_item_a_list_holds_nothing(network, monkeypatch, capsys):
    ids = np.random.default_rng(0).integers(0, 256, (10, 4))
    tree = PrefixTree.from_ids(ids)
    # The beams of the first user hold an item that is new, those of the other user none.
    leaf = torch.full((2, 12), -1)
    leaf[0, 0] = tree.leaf_of_item[7]
    score = torch.full((2, 12), -torch.inf).index_fill(0, torch.tensor([0]), -1.0)
    monkeypatch.setattr("lohrec.teacher.decoding.items_only", lambda *_: (leaf, score))
    leaf, score = best_leaves(
        network, None, ITEMS[[1, 2]], LENGTH[[1, 2]], ids, tree, DECODING, False, "free"
    )
    assert leaf.tolist() == [[int(tree.leaf_of_item[7])] + [-1] * 5, [-1] * 6]
    assert score[0, 0] == -1 and torch.isneginf(score[1]).all()
    assert "1 of 2 lists hold nothing" in capsys.readouterr().out


def test_unconstrained_lists_hold_the_items_among_the_beams(network):
    ids = tiny_llama.identifiers()
    tree = PrefixTree.from_ids(ids)
    decoding = DECODING | {"beams": 300, "exclude_history": False}
    leaf, score = best_leaves(network, None, ITEMS, LENGTH, ids, tree, decoding, False, "free")
    for user, n in enumerate(LENGTH):
        tokens = prompt_tokens(ITEMS[user, None, :n], token_table(ids))
        row, length = torch.zeros(1, dtype=torch.long), torch.tensor([tokens.shape[1]])
        beams = continue_prompts(network, read_prompts(network, tokens), row, length, 300)
        items, log_p = items_only(beams, tree)
        assert torch.equal(leaf[user], items[0, :6])
        torch.testing.assert_close(score[user], log_p[0, :6], atol=1e-4, rtol=0)


def test_an_empty_history_is_refused(network):
    ids = tiny_llama.identifiers()
    items, length = np.append(ITEMS, [[-1, -1, -1]], 0), np.append(LENGTH, 0)
    with pytest.raises(ValueError, match="history of user 5 is empty"):
        best_leaves(
            network, None, items, length, ids, PrefixTree.from_ids(ids), DECODING, True, "empty"
        )


def test_the_first_step_has_one_query_and_the_cache_only_grows(network):
    ids = tiny_llama.identifiers()
    tokens = prompt_tokens(ITEMS, token_table(ids))
    length = torch.from_numpy(1 + 4 * LENGTH)
    steps = PromptSteps(network, read_prompts(network, tokens), torch.arange(5), length, 0, True)
    with torch.inference_mode():
        assert steps.first().shape == (5, 1, 256)
        before = steps.cache.layers[0].keys.clone()
        parent, code = torch.zeros(5, 7, dtype=torch.long), torch.arange(7).expand(5, -1)
        assert steps.next(1, parent, code).shape == (5, 7, 256)
    after = steps.cache.layers[0].keys
    assert torch.equal(after[:, :, : before.shape[2]], before)
    assert after.shape[2] == before.shape[2] + 7
