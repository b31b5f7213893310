import copy

import numpy as np
import pytest
import torch

from lohrec.identifiers.codewords import CODES, PAD, tokens
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.networks.t5 import RECENT, T5
from lohrec.recommender.networks.t5_tokens import CODEWORDS, END, START
from lohrec.recommender.training_data import Batch

CONFIG = {
    "d_model": 32,
    "d_ff": 48,
    "heads": 2,
    "d_kv": 16,
    "layers": 2,
    "decoder_layers": 2,
    "dropout": 0.1,
    "codewords": "level",
    "causal_encoder": False,
    "recency": False,
}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return T5(CONFIG).eval()


def chain(depths):
    """Depths and attention mask of a plain sequence."""
    return torch.arange(depths), torch.ones(1, depths, depths, dtype=torch.bool).tril()


def test_in_double_precision_nothing_is_computed_in_less(model):
    exact = copy.deepcopy(model).double()
    history = tokens(torch.randint(0, CODES, (2, 5, 4))).flatten(1)
    with torch.no_grad():
        log_p, rounded = (one.steps(history).first() for one in (exact, model))
    assert log_p.dtype == torch.double
    torch.testing.assert_close(log_p.logsumexp(-1), torch.zeros(2, 1).double(), rtol=0, atol=1e-13)
    torch.testing.assert_close(log_p.float(), rounded)


def test_equals_transformers(model, tmp_path):
    from transformers import T5ForConditionalGeneration

    model.save(tmp_path)
    reference = T5ForConditionalGeneration.from_pretrained(tmp_path).eval()
    ids = tokens(torch.randint(0, CODES, (3, 7, 4))).flatten(1)
    ids[1, 12:] = PAD
    target = torch.cat(
        [torch.full((3, 1), START), tokens(torch.randint(0, CODES, (3, 4)))[:, :3]], 1
    )
    with torch.no_grad():
        theirs = reference(
            input_ids=ids, attention_mask=(ids != PAD).long(), decoder_input_ids=target
        ).logits
        state, _ = model.decode(target, *chain(4), model.encode(ids))
        ours = state @ model.shared.weight.T
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    # The other way round: their weights load into ours, and nothing is left over.
    again = T5(CONFIG)
    state = reference.state_dict()
    again.load_state_dict({key: state[key] for key in again.state_dict()})
    tied = {
        f"{name}.weight" for name in ("encoder.embed_tokens", "decoder.embed_tokens", "lm_head")
    }
    assert set(state) - set(again.state_dict()) == tied
    assert all(
        torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True)
    )


def test_gradients_of_several_threads_are_the_same_each_time(four_threads):
    """Of histories that are read once for many examples, as a causal encoder does."""
    torch.manual_seed(0)
    model, found = T5(CONFIG | {"causal_encoder": True}), []
    ids = tokens(torch.randint(0, CODES, (64, 10, 4))).flatten(1)
    row, length = torch.randint(64, (640,)), 4 * (1 + torch.arange(640) % 10)
    for _ in range(5):
        model.zero_grad()
        memory, _ = model.eval().encode(ids, row=row, length=length)
        draw = torch.Generator().manual_seed(0)
        parts = [part for both in memory for part in both]
        sum((torch.randn(one.shape, generator=draw) * one).sum() for one in parts).backward()
        found.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for again in found[1:]:
        assert all(map(torch.equal, found[0], again))


def test_save_and_load(model, tmp_path):
    model.save(tmp_path)
    again = T5.load(tmp_path)
    assert again.config == model.config
    assert all(
        torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True)
    )


def test_what_transformers_does_not_know_is_saved_and_left_alone_there(tmp_path):
    from transformers import T5ForConditionalGeneration

    config = CONFIG | {"codewords": "legal", "causal_encoder": True, "recency": True}
    model = T5(config).eval()
    torch.nn.init.normal_(model.recency.weight)
    model.save(tmp_path)
    again = T5.load(tmp_path)
    assert again.config == config and again.legal
    assert torch.equal(again.recency.weight, model.recency.weight)
    peer, report = T5ForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert set(report["unexpected_keys"]) == {"recency.weight"} and not report["missing_keys"]
    state = peer.state_dict()
    for name, value in model.state_dict().items():
        assert name == "recency.weight" or torch.equal(state[name], value)


@pytest.mark.parametrize("causal", [False, True])
def test_recency_is_counted_from_the_end_of_each_history(causal):
    """An item's bias is the same whatever came before it, and older items share the last one."""
    torch.manual_seed(0)
    model = T5(CONFIG | {"causal_encoder": causal, "recency": True}).eval()
    torch.nn.init.normal_(model.recency.weight)
    ids = tokens(torch.randint(0, CODES, (2, RECENT + 3, 4))).flatten(1)
    ids[1, 8:] = PAD
    _, mask = model.encode(ids)
    width = 4 + causal
    bias = mask.squeeze(2)[..., : (RECENT + 3) * width].unflatten(-1, (RECENT + 3, width))[..., 0]
    table = model.recency.weight.T
    older = table[:, -1:].expand(-1, 3)
    torch.testing.assert_close(bias[0], torch.cat([older, table.flip(1)], 1))
    torch.testing.assert_close(bias[1, :, :2], table[:, [1, 0]])
    assert (bias[1, :, 2:] == -torch.inf).all()
    _, short = model.encode(ids[1:, :8], padded=False)
    torch.testing.assert_close(
        short.squeeze(2)[0, :, : 8 + causal * 2], mask[1, :, 0, : 8 + causal * 2]
    )


@pytest.mark.parametrize("place", [-1, -2, 0])
def test_a_causal_decoder_learns_which_of_twenty_items_counts(place):
    """It is the last, the second last, or the first; items are told by their first codeword."""
    torch.manual_seed(0)
    ids = torch.zeros(6, 4, dtype=torch.long)
    ids[:, 0] = torch.arange(6)
    tree = PrefixTree.from_ids(ids.numpy())
    change = {"layers": 1, "decoder_layers": 1, "dropout": 0.0, "codewords": "legal"}
    model = T5(CONFIG | change | {"causal_encoder": True, "recency": True})
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(240):
        item = torch.randint(0, len(ids), (32, 20))
        history, target = tokens(ids[item]).flatten(1), ids[item[:, place]][:, None]
        length, real = torch.full((32,), 80), torch.ones(32, 1, dtype=torch.bool)
        batch = Batch(history, False, None, length, target, real, None)
        loss = -model.score(batch, tree).total.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < 0.5  # ln 6 is 1.79


def test_padding_changes_nothing(model):
    ids = tokens(torch.randint(0, CODES, (2, 5, 4))).flatten(1)
    longer = torch.cat([ids, torch.full((2, 8), PAD)], 1)
    token = torch.tensor([[START, 3, 300, 600]]).expand(2, -1)
    with torch.no_grad():
        short, _ = model.decode(token, *chain(4), model.encode(ids, padded=False))
        long, _ = model.decode(token, *chain(4), model.encode(longer))
    torch.testing.assert_close(short, long, rtol=1e-5, atol=1e-5)


def test_cached_steps_equal_one_pass(model):
    memory = model.encode(tokens(torch.randint(0, CODES, (2, 3, 4))).flatten(1))
    token = torch.tensor([[START, 3, 300, 600], [START, 9, 301, 700]])
    depth, allowed = chain(4)
    with torch.no_grad():
        whole, _ = model.decode(token, depth, allowed, memory)
        past, states = None, []
        for t in range(4):
            state, past = model.decode(
                token[:, t : t + 1], depth[: t + 1], allowed[:, t : t + 1, : t + 1], memory, past
            )
            states.append(state)
    torch.testing.assert_close(torch.cat(states, 1), whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("codewords, width", [("level", CODES), ("all", CODEWORDS)])
def test_log_probabilities_are_normalised(codewords, width):
    log_p = T5(CONFIG | {"codewords": codewords}).log_probabilities(torch.randn(5, 32), 2)
    assert log_p.shape == (5, width)
    torch.testing.assert_close(log_p.exp().sum(-1), torch.ones(5))


def test_paper_size():
    paper = {
        "d_model": 384,
        "d_ff": 1024,
        "heads": 6,
        "d_kv": 64,
        "layers": 4,
        "decoder_layers": 4,
        "dropout": 0.1,
        "codewords": "level",
        "causal_encoder": False,
        "recency": False,
    }
    assert sum(p.numel() for p in T5(paper).parameters()) == pytest.approx(13.77e6, rel=1e-3)


def test_causal_encoder_equals_transformers_with_a_causal_mask(tmp_path):
    from transformers import T5ForConditionalGeneration

    torch.manual_seed(0)
    model = T5(CONFIG | {"causal_encoder": True}).eval()
    model.save(tmp_path)
    reference = T5ForConditionalGeneration.from_pretrained(tmp_path).eval()
    ids = tokens(torch.randint(0, CODES, (2, 5, 4))).flatten(1)
    token = torch.tensor([[START, 3, 300, 600]]).expand(2, -1)
    with torch.no_grad():
        closed = torch.cat([ids, torch.full((2, 1), END)], 1)
        mask = torch.full((2, 1, 21, 21), -torch.inf).triu(1)  # added to the scores
        encoded = reference.encoder(input_ids=closed, attention_mask=mask)
        theirs = reference(encoder_outputs=encoded, decoder_input_ids=token).logits
        state, _ = model.decode(token, *chain(4), model.encode(ids))
    torch.testing.assert_close(state @ model.shared.weight.T, theirs, rtol=1e-4, atol=1e-4)


def test_prefixes_of_a_row_share_its_encoding():
    torch.manual_seed(0)
    model = T5(CONFIG | {"causal_encoder": True}).eval()
    ids = tokens(torch.randint(0, CODES, (2, 5, 4))).flatten(1)
    ids[1, 12:] = PAD
    row, length = torch.tensor([0, 0, 1]), torch.tensor([8, 20, 12])
    token = torch.tensor([[START, 3, 300, 600]])
    with torch.no_grad():
        memory = model.encode(ids, row=row, length=length)
        shared, _ = model.decode(token.expand(3, -1), *chain(4), memory)
        for i in range(3):
            alone = model.encode(ids[row[i], : length[i]][None], padded=False)
            state, _ = model.decode(token, *chain(4), alone)
            torch.testing.assert_close(shared[i], state[0], rtol=1e-4, atol=1e-4)
