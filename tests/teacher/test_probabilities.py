"""Logits and probabilities at the true targets."""

import numpy as np
import pytest
import tiny_walks
import torch
from torch.nn import functional as F

from lohrec.identifiers.codewords import token_table
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.teacher.model import START, build_llama
from lohrec.teacher.probabilities import answer_logits, codeword_probabilities
from lohrec.teacher.prompts import CodewordPrompts


@pytest.fixture(scope="module")
def data():
    return tiny_walks.data()


def test_target_logits_equal_one_full_forward_an_example(data):
    train, ids = data[0]["train"], data[1]
    model, table = build_llama(tiny_walks.SETTINGS).eval(), token_table(ids)
    batch = CodewordPrompts(train, ids).batch(np.array([3, 0, 11]), with_answers=True)
    with torch.no_grad():
        logits = answer_logits(model, batch)
        for number, example in enumerate(batch.example):
            history = train.sequences[train.start[example] : train.stop[example]]
            answer = table[train.target[example]]
            sequence = [START, *table[history].reshape(-1), *answer]
            expected = model(torch.tensor([sequence])).logits[0, -5:-1]
            torch.testing.assert_close(logits[number], expected, atol=1e-5, rtol=1e-4)
            assert batch.answer[number].tolist() == answer.tolist()


def test_probabilities_are_softmaxes_over_the_level_or_over_all_codewords():
    logits = torch.randn(5, 4, 1026)
    level = codeword_probabilities(logits, "level")
    every = codeword_probabilities(logits, "all")
    for d in range(4):
        of_level = logits[:, d, d * 256 : (d + 1) * 256]
        torch.testing.assert_close(level[:, d], F.softmax(of_level, -1))
    torch.testing.assert_close(every, F.softmax(logits[..., :1024], -1))


def test_legal_probabilities_are_those_of_the_level_over_the_legal_codewords():
    logits = torch.randn(5, 4, 1026)
    ids = np.random.default_rng(0).integers(0, 3, (40, 4))
    legal = PrefixTree.from_ids(ids).legal(torch.from_numpy(ids[:5]))
    found = codeword_probabilities(logits, "legal", legal=legal)
    level = codeword_probabilities(logits, "level") * legal
    torch.testing.assert_close(found, level / level.sum(-1, keepdim=True))
