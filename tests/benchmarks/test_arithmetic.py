import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lohrec.benchmarks import arithmetic
from lohrec.identifiers.beam_search import beam_search
from lohrec.identifiers.codewords import LEVELS, tokens
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.identifiers.rqvae import RQVAE
from lohrec.recommender.networks.t5 import T5

CONFIG = {
    "d_model": 48,
    "d_ff": 80,
    "heads": 3,
    "d_kv": 16,
    "layers": 2,
    "decoder_layers": 2,
    "dropout": 0.0,
    "codewords": "level",
    "causal_encoder": False,
    "recency": False,
}


@pytest.mark.parametrize("codewords", ["level", "all"])
@pytest.mark.parametrize("beams", [1, 7])
def test_decoding_counts_what_torch_counts(beams, codewords):
    config = CONFIG | {"codewords": codewords}
    ids = torch.cartesian_prod(*[torch.arange(0, 256, 37)] * LEVELS)
    model, tree = T5(config).eval(), PrefixTree.from_ids(ids.numpy())
    history = tokens(ids[:5]).reshape(1, -1)
    with FlopCounterMode(display=False) as counted:
        beam_search(model.steps(history, padded=False), tree, beams)
    queries = [1, *(beams,) * (LEVELS - 1)]
    ours = arithmetic.encoding(config, 20) + arithmetic.decoding(config, queries, 20)
    assert ours == counted.get_total_flops()


def test_training_counts_three_forward_passes():
    forward = arithmetic.encoding(CONFIG, 8) + arithmetic.decoding(CONFIG, [1, 1, 1, 1], 8, False)
    assert arithmetic.training_step(CONFIG, [1, 1, 1, 1], 8) == 3 * forward


def test_an_autoencoder_counts_what_torch_counts():
    model = RQVAE(32, [16, 8], 4, 2, 8)
    x = torch.randn(1, 32)
    with FlopCounterMode(display=False) as counted:
        model.decode(model.encode(x))
    assert arithmetic.autoencoder_step([32, 16, 8, 4]) == 3 * counted.get_total_flops()
