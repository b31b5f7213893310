import pytest
import torch

from lohrec.identifiers.codewords import LEVELS
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender import candidate_tree
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.networks.t5_tokens import START, tokens

CONFIG = {
    "d_model": 32,
    "d_ff": 48,
    "heads": 2,
    "d_kv": 16,
    "layers": 2,
    "decoder_layers": 2,
    "dropout": 0.0,
    "causal_encoder": False,
    "recency": False,
}


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("codewords", ["level", "all"])
def test_scores_and_gradients_equal_one_pass_a_candidate(full, codewords):
    torch.manual_seed(0)
    model = T5(CONFIG | {"codewords": codewords})
    ids = torch.randint(0, 3, (4, 7, LEVELS)) * 80  # shared prefixes, and whole repeats
    legal = PrefixTree.from_ids(ids.flatten(0, 1).numpy())
    history = tokens(torch.randint(0, 256, (4, 3, LEVELS))).flatten(1)

    score, along_first = candidate_tree.score(model, model.encode(history), ids, legal, full)
    score.square().sum().backward()
    ours = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()

    # Naive: repeat the history for every candidate and decode each as a plain sequence.
    memory = model.encode(history.repeat_interleave(7, 0))
    flat = ids.flatten(0, 1)
    start = torch.full((len(flat), 1), START)
    chain = torch.arange(LEVELS), torch.ones(1, LEVELS, LEVELS, dtype=torch.bool).tril()
    state, _ = model.decode(torch.cat([start, tokens(flat)[:, :-1]], 1), *chain, memory)
    log_p = torch.stack([model.log_probabilities(state[:, d], d) for d in range(LEVELS)], 1)
    column = flat + torch.tensor([model.first_code(d) for d in range(LEVELS)])
    naive = log_p.gather(2, column[..., None]).sum((1, 2)).view(4, 7)
    naive.square().sum().backward()

    torch.testing.assert_close(score, naive, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        along_first, log_p.view(4, 7, LEVELS, -1)[:, 0], rtol=1e-4, atol=1e-4
    )
    for a, p in zip(ours, model.parameters(), strict=True):
        torch.testing.assert_close(a, p.grad, rtol=1e-3, atol=1e-3)


def test_shared_prefixes_are_stored_once():
    ids = torch.tensor([[[1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 6, 4], [7, 2, 3, 4]]])
    tree = candidate_tree.build(ids)
    assert tree.width == [1, 2, 2, 3]
    assert tree.token.shape == (1, 8)
    assert torch.equal(tree.path[0, 0], tree.path[0, 1])  # they differ in the last codeword only
