"""What networks over items read, and that they learn from it."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from lohrec.common import training
from lohrec.common.optimiser import adamw
from lohrec.configuration import registry
from lohrec.configuration.sections import defaults, tree
from lohrec.data.examples import Examples
from lohrec.recommender import item_training
from lohrec.recommender.baselines import fmlp_rec
from lohrec.recommender.item_attributes import AttributeNetwork
from lohrec.recommender.item_losses import loss
from lohrec.recommender.item_networks import (
    Batch,
    CausalNetwork,
    ItemNetwork,
    WindowNetwork,
    last_items,
    whole,
)
from lohrec.recommender.item_recommender import ItemRecommender
from lohrec.recommender.item_training import ItemData, accuracy, log_probabilities, train
from lohrec.recommender.recommender import Histories, named

ITEMS, WINDOW = 20, 20
EVERY = [n for n in registry.names("recommender") if issubclass(named(n), ItemRecommender)]


def network(name: str, items: int = ITEMS, **changes) -> ItemNetwork:
    torch.manual_seed(0)
    settings = defaults(tree()["recommenders"][name]) | {"width": 32} | changes
    network_class = named(name).network_class
    told = [attributes(items)] if issubclass(network_class, AttributeNetwork) else []
    return network_class(items, WINDOW, settings, *told).eval()


def attributes(items: int) -> torch.Tensor:
    """One to four of sixteen for each item."""
    code = torch.arange(items + 1)
    told = torch.stack([code // 4**d % 4 + 4 * d for d in range(4)], 1)
    told[torch.arange(4) > code.unsqueeze(1) % 4] = 16
    told[-1] = 16
    return told


def walks(users: int = 30, items: int = ITEMS) -> Examples:
    """Every prefix of random sequences of 2 to 30 items."""
    rng = np.random.default_rng(0)
    length = rng.integers(2, 31, users)
    sequences = rng.integers(0, items, length.sum()).astype(np.int32)
    user = np.repeat(np.arange(users), length - 1).astype(np.int32)
    first = np.cumsum(length) - length
    stop = np.concatenate([np.arange(a + 1, a + n) for a, n in zip(first, length, strict=True)])
    return Examples(sequences, user, np.maximum(first[user], stop - WINDOW), stop)


@pytest.mark.parametrize("name", EVERY)
def test_an_example_is_read_as_if_alone(name):
    made = network(name)
    data = ItemData(walks().aligned(), made.shares_rows)
    rows = np.flatnonzero(data.examples.user < 8)
    batch = data.batch(rows)
    if isinstance(made, CausalNetwork):
        assert len(batch.items) < len(rows) / 4
        state = made.states(batch)
    else:  # which fills gaps in whole sequences when it learns, but recommends one by one
        state = made.states(ItemData(data.examples, False).batch(rows))
    for row, found in zip(rows, state, strict=True):
        history = torch.from_numpy(data.examples.histories(np.array([row])).astype(np.int64))
        one = torch.zeros(1, dtype=torch.int64)
        length = torch.tensor([history.shape[1]])
        padding = (0, WINDOW - history.shape[1])
        for items in (history, nn.functional.pad(history, padding, value=-1)):
            alone = made.states(Batch(items, one, length, one))
            torch.testing.assert_close(alone[0], found, rtol=1e-4, atol=1e-5)
        assert data.examples.target[row] == batch.target[np.searchsorted(rows, row)]


@pytest.mark.parametrize("name", EVERY)
def test_probabilities_add_up_to_one_and_padding_learns_nothing(name):
    made = network(name).train()
    data = ItemData(walks().aligned(), made.shares_rows)
    optimizer = adamw(made, 1e-2, 0.1)
    for number in range(3):
        optimizer.zero_grad()
        loss("cross_entropy", made, data.batch(np.arange(number * 50, number * 50 + 50))).backward()
        optimizer.step()
    assert (made.item.weight[ITEMS:] == 0).all() and (made.item.weight[:ITEMS] != 0).all()
    items = np.array([[3, 4, 5], [7, -1, -1]])
    p = log_probabilities(made.eval(), Histories(items, np.array([3, 1]))).exp()
    assert p.shape == (2, ITEMS) and p.dtype == torch.float32
    torch.testing.assert_close(p.sum(1), torch.ones(2))


def test_gradients_of_several_threads_are_the_same_each_time(four_threads):
    """Of so many attributes that threads share their sums."""
    made = network("fdsa")
    data = ItemData(walks(800).aligned(), made.shares_rows)
    batch, found = data.batch(np.arange(len(data.examples))), []
    for _ in range(5):
        made.zero_grad()
        loss("cross_entropy", made, batch).backward()
        found.append([p.grad.clone() for p in made.parameters() if p.grad is not None])
    for again in found[1:]:
        assert all(map(torch.equal, found[0], again))


def test_scores_are_of_float32_whatever_the_rest_is():
    """In bfloat16 the head of a list would be full of ties."""
    made = network("sasrec").eval()
    with torch.no_grad():
        made.item.weight.mul_(20)
    histories = Histories(np.array([[3, 4, 5], [7, -1, -1]]), np.array([3, 1]))
    with torch.autocast("cpu", torch.bfloat16):
        found = log_probabilities(made, histories)
    assert found.dtype == torch.float32
    assert all(len(row.unique()) == ITEMS for row in found)


@pytest.mark.parametrize(
    "name", [n for n in EVERY if issubclass(named(n).network_class, WindowNetwork)]
)
def test_what_is_older_than_the_window_is_not_read(name):
    made = network(name)
    items = torch.randint(ITEMS, (1, WINDOW + 4))
    one, length = torch.zeros(1, dtype=torch.int64), torch.tensor([WINDOW + 4])
    other = items.clone()
    other[0, : WINDOW + 4 - made.window] = 0
    state = made.states(Batch(items, one, length, one))
    torch.testing.assert_close(state, made.states(Batch(other, one, length, one)))
    other[0, -made.window] = (items[0, -made.window] + 1) % ITEMS
    assert not torch.allclose(state, made.states(Batch(other, one, length, one)))


def test_last_items_stand_on_the_right():
    items = torch.tensor([[1, 2, 3, 4], [5, 6, -1, -1]])
    found = last_items(items, torch.tensor([4, 2]), 3)
    assert found.tolist() == [[2, 3, 4], [-1, 5, 6]]


def test_whole_rows_end_in_their_last_target():
    examples = walks()
    data = ItemData(examples.aligned(), True)
    rows = np.flatnonzero(data.examples.user < 5)
    items, length = whole(data.batch(rows))
    starts = np.unique(data.examples.start[rows])
    assert len(items) == len(starts)
    for row, n, start in zip(items, length, starts, strict=True):
        stop = data.examples.stop[rows][data.examples.start[rows] == start].max()
        assert row[:n].tolist() == examples.sequences[start : stop + 1].tolist()
        assert (row[n:] == -1).all()


def test_bert4rec_is_taught_what_it_does_not_see():
    made = network("bert4rec", mask=0.5, last=0.3)
    batch = ItemData(walks().aligned(), True).batch(np.arange(60))
    items, length = whole(batch)
    seen = {}
    made.read = lambda items, masked: seen.update(items=items, masked=masked) or items.unsqueeze(-1)
    alone = 0
    for _ in range(20):
        state, target = made.taught(batch)
        masked = seen["masked"]
        assert torch.equal(target, items[masked]) and torch.equal(state[:, 0], target)
        assert masked.any(1).all() and not masked[items < 0].any()
        last = masked[torch.arange(len(items)), length - 1]
        alone += (last & (masked.sum(1) == 1)).sum().item()
    assert 0.25 < alone / (20 * len(items)) < 0.6


def norm(x: list[float], layer: nn.LayerNorm) -> list[float]:
    mean = sum(x) / len(x)
    deviation = (sum((a - mean) ** 2 for a in x) / len(x) + layer.eps) ** 0.5
    scale, shift = layer.weight.tolist(), layer.bias.tolist()
    return [(a - mean) / deviation * w + b for a, w, b in zip(x, scale, shift, strict=True)]


def dot(x: list[float], y: list[float]) -> float:
    return sum(a * b for a, b in zip(x, y, strict=True))


def linear(x: list[float], layer: nn.Linear) -> list[float]:
    rows = zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
    return [dot(x, row) + b for row, b in rows]


def test_sasrec_is_the_papers_by_loops():
    """Section III of the paper, with a loop over places, heads and widths."""
    made = network("sasrec", width=6, heads=2).double()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    history = [3, 7, 1, 7]
    position, table = made.position.weight.tolist(), made.item.weight.tolist()
    x = [[a * 6**0.5 + b for a, b in zip(table[i], position[t], strict=True)]
         for t, i in enumerate(history)]  # fmt: skip
    for block in made.layers:
        normed = [norm(one, block.attention_norm) for one in x]
        parts = (block.attention.query, block.attention.key, block.attention.value)
        q, k, v = ([linear(one, part) for one in normed] for part in parts)
        for t in range(len(x)):
            read = []
            for head in (slice(0, 3), slice(3, 6)):
                e = [math.exp(dot(q[t][head], k[s][head]) / 3**0.5) for s in range(t + 1)]
                read += [sum(w * v[s][head][d] for s, w in enumerate(e)) / sum(e) for d in range(3)]
            x[t] = [a + b for a, b in zip(x[t], read, strict=True)]
        for t, one in enumerate(x):
            inner = [max(a, 0.0) for a in linear(norm(one, block.norm), block.first)]
            x[t] = [a + b for a, b in zip(one, linear(inner, block.second), strict=True)]
    expected = torch.tensor([norm(one, made.norm) for one in x], dtype=torch.double)
    torch.testing.assert_close(made.read(torch.tensor([history]))[0], expected)


@pytest.mark.parametrize("n", [7, 8])
def test_filters_are_products_of_frequencies(n):
    """Against sums over all pairs of places, with complex numbers and no FFT."""
    made = fmlp_rec.Block(6, n, 0.0).double().eval()
    torch.nn.init.normal_(made.weight)
    x = torch.randn(2, n, 6, dtype=torch.double)
    number = torch.arange(n, dtype=torch.double)
    there = torch.exp(-2j * torch.pi * number[:, None] * number / n) / n**0.5
    frequency = torch.einsum("kn,bnd->bkd", there, x.to(torch.complex128))
    half = torch.view_as_complex(made.weight.detach())
    twice = (n - 1) // 2  # frequencies of a real signal that come once more, conjugated
    full = torch.cat([half, half[1 : twice + 1].conj().flip(0)])
    full[0] = full[0].real  # irfft reads no imaginary part of the mean,
    if n % 2 == 0:
        full[n // 2] = full[n // 2].real  # nor of the highest frequency
    filtered = torch.einsum("nk,bkd->bnd", there.conj(), frequency * full).real
    y = nn.functional.layer_norm(x + filtered, (6,), eps=1e-12)
    inner = nn.functional.linear(y, made.up.weight, made.up.bias)
    inner = inner * 0.5 * (1 + torch.erf(inner / 2**0.5))
    fed = nn.functional.linear(inner, made.down.weight, made.down.bias)
    expected = nn.functional.layer_norm(y + fed, (6,), eps=1e-12)
    torch.testing.assert_close(made(x), expected)
    torch.testing.assert_close(made(x, last=True), expected[:, -1])


# A window does not reach the first item. HGN adds up all items of its window besides, and BERT4Rec
# is also asked for items that nothing tells.
PLACES = {name: (-1,) for name in EVERY if name not in ("hgn", "bert4rec")}
PLACES |= dict.fromkeys(["sasrec", "gru4rec"], (-1, -2, 0))


@pytest.mark.parametrize(("name", "place"), [(n, p) for n in PLACES for p in PLACES[n]])
def test_learns_which_of_twenty_items_tells_the_next(name, place):
    rng, made = np.random.default_rng(0), network(name, dropout=0.0).train()
    after = torch.from_numpy(rng.permutation(ITEMS))
    row, length = torch.arange(64), torch.full((64,), WINDOW)

    def some() -> Batch:
        items = torch.from_numpy(rng.integers(0, ITEMS, (64, WINDOW)))
        return Batch(items, row, length, after[items[:, place]])

    optimizer = adamw(made, 5e-3, 0.0)
    for _ in range(1000):
        batch = some()
        optimizer.zero_grad()
        value = loss("cross_entropy", made, batch)
        value.backward()
        nn.utils.clip_grad_norm_(made.parameters(), 1.0)
        optimizer.step()
        if value < 0.05:
            break
    batch = some()
    with torch.no_grad():
        p = (made.eval().states(batch) @ made.output().T).softmax(1)
    assert (p[row, batch.target] > 0.5).float().mean() > 0.9


TRAINING = {
    "epochs": 3, "batch_size": 16, "learning_rate": 1e-2, "warmup": 0.1, "weight_decay": 0.01,
    "clip": 1.0, "bf16": False, "evaluations": 3, "patience": 3, "dev_users": 20, "averaging": 0.0,
}  # fmt: skip


@pytest.mark.parametrize("name", EVERY)
def test_training_prefers_the_state_that_is_best_on_dev(name):
    made, examples = network(name), walks()
    settings = {"loss": "cross_entropy", "training": TRAINING}
    rows = train(made, examples, examples, settings, False, 0)
    kept = max(row["dev_ndcg@10"] for row in rows)
    assert [row["dev_ndcg@10"] for row in rows if row["kept"]] == [kept]
    sample = np.random.default_rng(0).choice(len(examples), 20, replace=False)
    dev = Examples(
        examples.sequences, *(a[sample] for a in (examples.user, examples.start, examples.stop))
    )
    assert accuracy(made, dev, False)["dev_ndcg@10"] == kept


def test_accuracy_counts_by_hand():
    made, examples = network("gru4rec"), walks()
    hits, gains, costs = [], [], []
    for row in range(len(examples)):
        history = examples.histories(np.array([row])).astype(np.int64)
        log_p = log_probabilities(made, Histories(history, examples.length[[row]]))[0]
        order = torch.argsort(-log_p).tolist()
        order = [item for item in order if item not in history[0]]
        target = int(examples.target[row])
        rank = order.index(target) + 1 if target in order else 99
        hits.append(rank <= 10)
        gains.append(1 / np.log2(rank + 1) if rank <= 10 else 0)
        costs.append(-log_p[target].item())
    found = accuracy(made, examples, True)
    assert found["dev_recall@10"] == pytest.approx(np.mean(hits))
    assert found["dev_ndcg@10"] == pytest.approx(np.mean(gains))
    assert found["dev_loss"] == pytest.approx(np.mean(costs), rel=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_a_user_with_one_example_and_fewer_items_than_a_batch(name):
    sequences = np.array([2, 0, 1], dtype=np.int32)
    one = Examples(sequences, np.zeros(1, np.int32), np.array([0]), np.array([1]))
    made = network(name, items=3)
    train(made, one, one, {"loss": "cross_entropy", "training": TRAINING}, False, 0)
    found = log_probabilities(made, Histories(np.array([[2]]), np.array([1])))
    assert torch.isfinite(found).all()


def test_a_training_that_was_cut_off_goes_on_to_the_same_weights(monkeypatch, tmp_path):
    settings, examples = {"loss": "bpr", "training": TRAINING}, walks()
    torch.manual_seed(0)
    whole_run = network("gru4rec")
    train(whole_run, examples, examples, settings, False, 0)
    monkeypatch.setattr(training, "SAVE_SECONDS", 0)
    calls = iter([None, KeyboardInterrupt])
    evaluate = item_training.accuracy

    def cut(*given):
        if next(calls):
            raise KeyboardInterrupt
        return evaluate(*given)

    checkpoint = tmp_path / "checkpoint"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(item_training, "accuracy", cut)
        train(network("gru4rec"), examples, examples, settings, False, 0, checkpoint)
    assert checkpoint.exists()
    again = network("gru4rec")
    rows = train(again, examples, examples, settings, False, 0, checkpoint)
    assert len(rows) == 3
    for a, b in zip(whole_run.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
