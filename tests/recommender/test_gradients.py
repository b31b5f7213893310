"""Gradients of a batch, with a recorder in the place of a CUDA graph."""

from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from objectives import grouped
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lohrec.common.gradients import Gradients
from lohrec.data.examples import Examples
from lohrec.identifiers.codewords import CODES, LEVELS
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.objective import objective
from lohrec.recommender.training_data import TrainingData

CONFIG = {
    "d_model": 16, "d_ff": 32, "heads": 2, "d_kv": 8, "layers": 1, "decoder_layers": 1,
    "dropout": 0.0, "codewords": "level", "causal_encoder": False,
        "recency": False,
}  # fmt: skip
OBJECTIVE = {
    "loss": "one_hot", "generation": 1.0, "ranking": 1.0, "margin": 0.001, "reduction": "mean",
    "ranked_target": True,
}  # fmt: skip


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    ids = rng.integers(0, CODES, (30, LEVELS))
    sequences = rng.integers(0, 30, 40).astype(np.int32)
    stop = np.array([3, 9, 14, 20, 28, 35])
    start = stop - np.array([2, 2, 3, 3, 2, 2])
    examples = Examples(sequences, np.arange(6, dtype=np.int32), start, stop)
    return TrainingData(examples, ids, rng.integers(0, 30, (6, 5)).astype(np.int32))


def losses_of(model, data):
    tree = PrefixTree.from_ids(data.ids)
    return partial(objective, model, tree=tree, settings=grouped(OBJECTIVE))


def test_gradients_are_those_of_the_loss_and_clipped(data):
    torch.manual_seed(0)
    model = T5(CONFIG)
    batch = data.batch(np.arange(6))
    compute = Gradients(model, losses_of(model, data), clip=1e9, bf16=False, graphs=True)
    compute(data.batch(np.array([0, 1])))  # leaves nothing behind
    found = compute(batch)
    loss = objective(model, batch, PrefixTree.from_ids(data.ids), grouped(OBJECTIVE))["loss"]
    assert torch.equal(found["loss"], loss)
    wanted = torch.autograd.grad(loss, list(model.parameters()))
    torch.testing.assert_close([p.grad for p in model.parameters()], list(wanted))
    compute.clip = 0.01
    compute(batch)
    norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
    assert norm == pytest.approx(0.01, rel=1e-3)


class Watch(TorchDispatchMode):
    """Notes which operations ask the device for values, and where tensors lie."""

    ASKING = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "bincount", "equal")

    def __init__(self):
        super().__init__()
        self.asked, self.devices = set(), set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        self.asked |= {name} & {*self.ASKING}
        if name == "repeat_interleave" and (kwargs or {}).get("output_size") is None:
            self.asked.add(name)
        parts = tree_leaves((args, kwargs, found))
        self.devices |= {part.device.type for part in parts if isinstance(part, torch.Tensor)}
        return found


@pytest.mark.parametrize(
    "change",
    [
        {"loss": "distilled", "mixture": 0.2, "reduction": "by_gap"},
        {"loss": "smoothed", "smoothing": 0.1, "ranking": 0.0},
        {"generation": 0.0, "ranked_target": False, "reduction": "sum"},
    ],
)
@pytest.mark.parametrize("legal", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_a_step_never_asks_the_device_so_that_it_can_be_recorded(
    data, change, causal, legal, monkeypatch
):
    """On torch's device without values, where the branches of a GPU are taken."""
    data = replace(data, shared=causal)
    batch = data.batch(np.arange(6))
    if change.get("loss") == "distilled":
        batch = replace(batch, teacher=torch.zeros(6, LEVELS, CODES))
    batch = replace(batch, padded=True, **{k: v.to("meta") for k, v in batch.tensors().items()})
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # knows no such device
    with torch.device("meta"):
        config = {"dropout": 0.1, "causal_encoder": causal, "recency": legal}
        model = T5(CONFIG | config | {"codewords": "legal" if legal else "level"})
    tree = PrefixTree.from_ids(data.ids).to("meta")
    with Watch() as watch:
        objective(model, batch, tree, grouped(OBJECTIVE | change))["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    assert watch.devices == {"meta"} and not watch.asked
    with Watch() as watch, torch.no_grad():
        torch.ones(3).nonzero()
    assert watch.asked == {"nonzero"}  # it would have been seen


def test_each_shape_is_recorded_once_and_replayed_on_what_was_copied(data, monkeypatch):
    """The bookkeeping of CUDA graphs; a replay is a computation on the recorded batch."""
    torch.manual_seed(0)
    model = T5(CONFIG)
    own = Gradients(model, losses_of(model, data), clip=1.0, bf16=False, graphs=True)
    own.graphs, recorded = {}, []

    class Graph:
        def __init__(self, batch, found):
            self.batch, self.found = batch, found

        def replay(self):
            for name, value in own._compute(self.batch, keep=True).items():
                self.found[name].copy_(value)

    def fake(batch):
        recorded.append(tuple(batch.history.shape))
        clone = type(batch)(**(vars(batch) | {k: v.clone() for k, v in batch.tensors().items()}))
        found = {name: value.clone() for name, value in own._compute(clone, keep=True).items()}
        return Graph(clone, found), clone, found

    monkeypatch.setattr(own, "_record", fake)
    plain = Gradients(model, losses_of(model, data), clip=1.0, bf16=False, graphs=False)
    for rows in ([0, 1], [4, 5], [2, 3], [1, 5], [3, 2]):
        batch = data.batch(np.array(rows))
        found = own(batch)["loss"].clone()
        gradient = [p.grad.clone() for p in model.parameters()]
        assert found == pytest.approx(plain(batch)["loss"].item(), rel=1e-6)
        torch.testing.assert_close(gradient, [p.grad for p in model.parameters()])
    assert recorded == [(2, 2 * LEVELS), (2, 3 * LEVELS)]


def test_what_cannot_be_recorded_is_computed_step_by_step(data, monkeypatch, capsys):
    model = T5(CONFIG)
    own = Gradients(model, losses_of(model, data), clip=1.0, bf16=False, graphs=True)
    own.graphs = {}

    def refuse(_):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(own, "_record", refuse)
    assert own(data.batch(np.array([0, 1])))["loss"].isfinite()
    assert "without CUDA graphs" in capsys.readouterr().out
    assert own.graphs is None
