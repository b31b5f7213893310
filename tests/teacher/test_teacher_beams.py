import itertools

import numpy as np
import pytest
import torch

from lohrec.identifiers.codewords import NO_BEAM, OTHER_LEVEL, WORD, token_table
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.teacher.beams import (
    Beams,
    continue_prompts,
    generate_beams,
    items_only,
    read_prompts,
)
from lohrec.teacher.model import build_llama, logits_of
from lohrec.teacher.prompts import CodewordPrompts, PromptBatch, prompt_tokens
from lohrec.teacher.windows import Windows

SETTINGS = {
    "kind": "scratch",
    "hidden": 32,
    "layers": 2,
    "heads": 2,
    "intermediate": 48,
    "dropout": 0.0,
    "seed": 3,
}


@pytest.fixture(scope="module")
def model():
    """A teacher with random, but not flat, probabilities."""
    network = build_llama(SETTINGS).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.mul_(8)
    return network


def random_ids(items: int, codes: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, codes, (items, 4)).astype(np.int16)


def histories(items: int, rows: int, longest: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    history = rng.integers(0, items, (rows, longest)).astype(np.int32)
    history[np.arange(longest) >= rng.integers(1, longest + 1, rows)[:, None]] = -1
    return history


def prompts_and_lengths(ids: np.ndarray, history: np.ndarray):
    tokens = prompt_tokens(history, token_table(ids))
    return tokens, torch.from_numpy(1 + 4 * (history >= 0).sum(1))


def next_items(model, tokens, length, beams, tree, excluded=None):
    batch = PromptBatch(None, tokens, torch.arange(len(tokens)), length, None)
    best = generate_beams(model, batch, beams, 0, tree, excluded)
    return best.leaf, best.score


def test_a_trained_teachers_logits_are_not_rounded_under_autocast(model):
    state = torch.randn(2, 3, 32)
    exact = model.get_output_embeddings()(state)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(logits_of(model, state), exact)
        rounded = logits_of(model.train(), state)
    model.eval()
    assert rounded.dtype == torch.float32 and not torch.equal(rounded, exact)


def test_unconstrained_equals_generate(model):
    ids = random_ids(50, 256)
    tokens, length = prompts_and_lengths(ids, histories(50, 12, 5))
    beams = continue_prompts(model, read_prompts(model, tokens), torch.arange(12), length, 25)
    for row in range(12):
        prompt = tokens[row, : length[row]].unsqueeze(0)
        expected = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            num_beams=25,
            num_return_sequences=25,
            max_new_tokens=4,
            do_sample=False,
            length_penalty=0.0,
            output_scores=True,
            return_dict_in_generate=True,
        )
        torch.testing.assert_close(beams.score[row], expected.sequences_scores, atol=1e-4, rtol=0)
        assert torch.equal(beams.token[row], expected.sequences[:, prompt.shape[1] :])
    assert beams.leaf is None


def log_probability(model, prompt: torch.Tensor, ids: np.ndarray) -> torch.Tensor:
    """log p of every identifier after one prompt, one full forward pass each."""
    tokens = torch.from_numpy(token_table(ids)[:-1])
    sequence = torch.cat([prompt.expand(len(tokens), -1), tokens], 1)
    with torch.no_grad():
        log_p = model(sequence).logits.log_softmax(-1)[:, len(prompt) - 1 : -1]
    return log_p.gather(-1, tokens.unsqueeze(-1)).squeeze(-1).sum(1)


def test_constrained_at_full_width_equals_brute_force(model):
    ids = random_ids(60, 4)  # some collide
    tree = PrefixTree.from_ids(ids)
    tokens, length = prompts_and_lengths(ids, histories(60, 6, 4))
    leaf, score = next_items(model, tokens, length, 256, tree)
    for row in range(6):
        by_item = log_probability(model, tokens[row, : length[row]], ids)
        by_leaf = torch.zeros(tree.leaves).scatter(0, tree.leaf_of_item, by_item)
        expected, order = by_leaf.sort(descending=True)
        assert torch.equal(leaf[row, : tree.leaves], order)
        torch.testing.assert_close(score[row, : tree.leaves], expected, atol=1e-4, rtol=0)
        assert (leaf[row, tree.leaves :] == -1).all()
        assert (score[row, tree.leaves :] == -torch.inf).all()


def test_constrained_beams_are_items_and_none_comes_twice(model):
    ids = random_ids(200, 6)
    tree = PrefixTree.from_ids(ids)
    tokens, length = prompts_and_lengths(ids, histories(200, 9, 6))
    row = torch.arange(9)
    beams = continue_prompts(model, read_prompts(model, tokens), row, length, 10, tree)
    known = set(map(tuple, ids.tolist()))
    for codewords in beams.codewords.tolist():
        assert len(set(map(tuple, codewords))) == 10
        assert set(map(tuple, codewords)) <= known
    assert torch.equal(beams.codewords, tree.identifiers(beams.leaf))


def test_renormalised_probabilities_of_all_items_add_up_to_one(model):
    ids = random_ids(120, 5)
    tree = PrefixTree.from_ids(ids)
    tokens, length = prompts_and_lengths(ids, histories(120, 6, 5))
    row = torch.arange(6)
    prompt = read_prompts(model, tokens)
    beams = continue_prompts(model, prompt, row, length, 700, tree, renormalise=True)
    with pytest.raises(ValueError, match="read them again"):
        continue_prompts(model, prompt, row, length, 700, tree)
    torch.testing.assert_close(beams.score.logsumexp(1), torch.zeros(6), atol=1e-4, rtol=0)
    plain = continue_prompts(model, read_prompts(model, tokens), row, length, 700, tree)
    assert not torch.equal(beams.leaf, plain.leaf)
    # The first codeword's probabilities are divided by one number for each example.
    only_one = PrefixTree.from_ids(ids[:1])
    prompt = read_prompts(model, tokens)
    alone = continue_prompts(model, prompt, row, length, 3, only_one, renormalise=True)
    torch.testing.assert_close(alone.score[:, 0], torch.zeros(6), atol=1e-5, rtol=0)


def test_excluded_leaves_make_room_for_the_next(model):
    ids = random_ids(80, 5)
    tree = PrefixTree.from_ids(ids)
    tokens, length = prompts_and_lengths(ids, histories(80, 4, 5))
    every, _ = next_items(model, tokens, length, 700, tree)
    excluded = torch.cat([every[:, [0, 2, 5]], torch.full((4, 1), -1)], 1)
    leaf, _ = next_items(model, tokens, length, 700, tree, excluded)
    assert torch.equal(leaf[:, :8], every[:, [1, 3, 4, 6, 7, 8, 9, 10]])


def test_examples_of_a_window_equal_prompts_of_their_own(model):
    ids = random_ids(50, 256)
    table = token_table(ids)
    sequences = np.random.default_rng(4).integers(0, 50, 12).astype(np.int32)
    # Two users of 7 and 5 items; their examples share two windows.
    windows = Windows(
        sequences,
        start=np.array([0, 7]),
        length=np.array([6, 4]),
        row=np.array([0, 1, 0, 0, 1]),
        place=np.array([1, 4, 6, 3, 2]),
    )
    rows = np.array([1, 0])
    prompts = CodewordPrompts.__new__(CodewordPrompts)
    prompts.windows, prompts.table = windows, table
    beams = generate_beams(model, prompts.batch(rows, with_answers=False), 25, 0)
    for number, example in enumerate(windows.examples_of(rows)[0]):
        start = windows.start[windows.row[example]]
        history = sequences[start : start + windows.place[example]][None]
        tokens, length = prompts_and_lengths(ids, history)
        alone = continue_prompts(model, read_prompts(model, tokens), torch.arange(1), length, 25)
        torch.testing.assert_close(beams.score[number], alone.score[0], atol=1e-4, rtol=0)
        assert torch.equal(beams.token[number], alone.token[0])


def test_a_token_of_another_level_is_no_codeword():
    tokens = [[0, 256, 512, 768], [255, 511, 767, 1023], [256, 255, 1024, 1025], [-1] * 4]
    found = Beams(torch.tensor([tokens]), torch.zeros(1, 4), None).codewords
    wrong = [OTHER_LEVEL, OTHER_LEVEL, WORD, WORD]
    assert found.tolist() == [[[0] * 4, [255] * 4, wrong, [NO_BEAM] * 4]]


def test_unconstrained_lists_hold_items_only_and_in_order(model):
    ids = random_ids(150, 4)
    tree = PrefixTree.from_ids(ids)
    tokens, length = prompts_and_lengths(ids, histories(150, 5, 4))
    beams = continue_prompts(model, read_prompts(model, tokens), torch.arange(5), length, 30)
    # Some beams become identifiers of items, so that both kinds are there.
    token = beams.token.clone()
    token[:, ::3] = torch.from_numpy(token_table(ids)[:10])
    beams = Beams(token, beams.score, None)
    excluded = tree.leaf_of_item[:2].expand(5, -1)
    leaf, score = items_only(beams, tree, excluded)
    known = {tuple(row): n for n, row in enumerate(np.unique(ids, axis=0).tolist())}
    for row in range(5):
        codewords = beams.codewords[row].tolist()
        expected = [
            (known[tuple(beam)], s)
            for beam, s in zip(codewords, beams.score[row].tolist(), strict=True)
            if tuple(beam) in known and known[tuple(beam)] not in excluded[row].tolist()
        ]
        assert expected
        assert leaf[row, : len(expected)].tolist() == [n for n, _ in expected]
        assert score[row, : len(expected)].tolist() == [s for _, s in expected]
        assert (leaf[row, len(expected) :] == -1).all()


def test_every_token_may_follow_where_nothing_forbids(model):
    """With a beam for every token at the first step, the best pair is the best of all pairs."""
    ids = random_ids(10, 256)
    tokens, length = prompts_and_lengths(ids, histories(10, 1, 2))
    with torch.no_grad():
        first = model(tokens[:, : length[0]]).logits[0, -1].log_softmax(-1)
        after = torch.cat([tokens[:, : length[0]].expand(1026, -1), torch.arange(1026)[:, None]], 1)
        second = model(after).logits[:, -1].log_softmax(-1)
    best = int((first[:, None] + second).argmax())
    beams = continue_prompts(model, read_prompts(model, tokens), torch.arange(1), length, 1026)
    pairs = {tuple(pair) for pair in beams.token[0, :, :2].tolist()}
    assert divmod(best, 1026) in pairs
    assert len(set(map(tuple, beams.token[0].tolist()))) == 1026
    assert all(a >= b for a, b in itertools.pairwise(beams.score[0].tolist()))
