"""What a GPU computes against what the CPU does; skipped where there is none."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import test_item_networks as item_cases
import tiny_llama
import tiny_walks
import torch
from objectives import grouped
from test_generator_training import DECODING, SETTINGS, cycle, train  # noqa: F401

from lohrec.common import devices
from lohrec.common.gradients import Gradients
from lohrec.identifiers import rqvae, rqvae_training, text_vectors
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.decoding import recommend
from lohrec.recommender.item_losses import loss as item_loss
from lohrec.recommender.item_training import ItemData, log_probabilities
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.objective import objective
from lohrec.recommender.recommender import Histories, Recommender
from lohrec.teacher import memory_plan, sequence_packing
from lohrec.teacher.beams import generate_beams
from lohrec.teacher.codeword_learner import CodewordLearner
from lohrec.teacher.probabilities import answer_logits, codeword_probabilities
from lohrec.teacher.prompts import CodewordPrompts
from lohrec.teacher.training import train_teacher

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
DWR = {"loss": "distilled", "ranking": 1.0, "dropout": 0.0}


@pytest.fixture(autouse=True)
def exact():
    """Both devices multiply in float32."""
    with devices.exact_products():
        yield


def gradients(model, data, settings, graphs, bf16=False):
    tree = PrefixTree.from_ids(data.ids).to(next(model.parameters()).device)
    compute = partial(objective, model, tree=tree, settings=grouped(settings))
    return Gradients(model, compute, 1.0, bf16, graphs)


def batches(data, rounds: int = 2) -> list:
    """Batches of six shapes, each of them several times."""
    rng = np.random.default_rng(0)
    by_length = [np.flatnonzero(data.examples.length == n) for n in range(1, 6)]
    rows = [rng.permutation(r)[:16] for _ in range(rounds) for r in by_length]
    return [data.batch(r) for r in [*rows, by_length[0][:7], by_length[2][:16]]]


@pytest.mark.parametrize("change", [DWR, DWR | {"reduction": "by_gap"}, {"loss": "smoothed"}])
def test_recorded_steps_have_the_gradients_of_the_cpu(cycle, change):  # noqa: F811
    _, data = cycle
    settings = SETTINGS | {"dropout": 0.0} | change
    torch.manual_seed(0)
    model = T5(settings)
    reference = gradients(model, data, settings, False)
    twin = T5(settings).to(GPU)
    twin.load_state_dict(model.state_dict())
    recorded = gradients(twin, data, settings, True)
    for batch in batches(data):
        wanted, found = reference(batch), recorded(batch)
        for name, value in wanted.items():
            torch.testing.assert_close(found[name].cpu(), value, rtol=1e-4, atol=1e-5)
        for a, b in zip(model.parameters(), twin.parameters(), strict=True):
            torch.testing.assert_close(b.grad.cpu(), a.grad, rtol=1e-3, atol=1e-5)
    assert recorded.graphs is not None and len(recorded.graphs) == 6


def test_a_recorded_step_drops_other_entries_each_time_and_the_same_after_a_seed(cycle):  # noqa: F811
    _, data = cycle
    model = T5(SETTINGS | {"dropout": 0.5}).to(GPU).train()
    batch = batches(data)[0]

    def run() -> list[float]:
        own = gradients(model, data, SETTINGS | DWR, True)
        torch.manual_seed(3)
        found = [own(batch)["loss"].item() for _ in range(4)]
        assert own.graphs
        return found

    first = run()
    assert len(set(first)) == 4
    assert run() == first


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("bf16", [False, True])
def test_a_step_waits_for_nothing(cycle, causal, bf16):  # noqa: F811
    """torch raises where the host waits for the device."""
    _, data = cycle
    settings = SETTINGS | DWR | {"causal_encoder": causal, "dropout": 0.1}
    data = replace(data, shared=causal)
    model = T5(settings).to(GPU).train()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    own = gradients(model, data, settings, not causal, bf16)
    steps = batches(data)
    for batch in steps:  # compiles, records
        own(batch)
        optimizer.step()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in steps:
            own(batch)
            optimizer.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert causal or own.graphs


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("change", [DWR, {"loss": "one_hot", "dropout": 0.0}])
def test_training_goes_as_on_the_cpu(cycle, change, causal, capsys):  # noqa: F811
    splits, data = cycle
    settings = SETTINGS | change | {"causal_encoder": causal, "epochs": 2}
    data = replace(data, shared=causal)
    rows = [train(data, splits["dev"], settings, DECODING, 0, d)[1].to_pylist() for d in (CPU, GPU)]
    for wanted, found in zip(*rows, strict=True):
        assert found["step"] == wanted["step"]
        assert found["loss"] == pytest.approx(wanted["loss"], rel=0.02)
    assert "without CUDA graphs" not in capsys.readouterr().out


def test_a_killed_training_goes_on_alike(cycle, tmp_path, monkeypatch):  # noqa: F811
    splits, data = cycle
    settings = SETTINGS | DWR | {"dropout": 0.3, "epochs": 3}
    run = partial(train, data, splits["dev"], settings, DECODING, 0, GPU)
    whole, _ = run()
    path = tmp_path / "checkpoint.pt"
    calls = []

    def killed(self):
        calls.append(0)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return step(self)

    step = torch.optim.lr_scheduler.LambdaLR.step
    monkeypatch.setattr(torch.optim.lr_scheduler.LambdaLR, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint_path=path)
    monkeypatch.undo()
    assert path.exists()
    resumed, _ = run(checkpoint_path=path)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("cascade", [False, True])
def test_lists_are_those_of_the_cpu(cycle, cascade):  # noqa: F811
    splits, data = cycle
    model, _ = train(data, splits["dev"], SETTINGS, DECODING, 0, CPU)
    found = []
    for device in (CPU, GPU):
        tree = PrefixTree.from_ids(data.ids).to(device)
        own = model.to(device)
        decoding = DECODING | {"rerank": 10}
        rivals = (own,) if cascade else ()
        found.append(recommend(own, splits["dev"], data.ids, tree, decoding, "", *rivals))
    torch.testing.assert_close(found[1][1], found[0][1], rtol=1e-4, atol=1e-4)
    assert (found[0][0] == found[1][0]).float().mean() > 0.99


def test_quantiser_learns_as_on_the_cpu(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(400, 24)).astype("f4")
    settings = {
        "network": {"hidden": [16], "latent": 8, "levels": 4, "codes": 16},
        "training": {
            "learning_rate": 3e-3, "weight_decay": 1e-4, "batch_size": 64, "epochs": 12,
            "warmup_epochs": 2, "restart_every": 3, "seed": 0,
        },
        "objective": {"beta": 0.25, "reduction": "mean"},
    }  # fmt: skip
    losses = []
    for device in (CPU, GPU):
        model, history = rqvae_training.train(vectors, settings, device, tmp_path / "checkpoint.pt")
        losses.append(history[-1]["reconstruction"])
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    rqvae.save(tmp_path / "model.safetensors", model)
    assert rqvae.load(tmp_path / "model.safetensors").codebooks.device == CPU


@pytest.fixture(scope="module")
def teachers():
    """A teacher over codewords, trained on the GPU, and the same training on the CPU."""
    data, ids = tiny_walks.data()
    settings = tiny_walks.SETTINGS | {"dropout": 0.0}
    trained = []
    for device in (CPU, GPU):
        learner = CodewordLearner(data["train"], ids, tiny_walks.groups(settings))
        trained.append(train_teacher(learner, data["dev"], False, device))
    return data, ids, *trained


def test_a_teacher_learns_as_on_the_cpu(teachers):
    *_, (_, wanted), (_, found) = teachers
    for a, b in zip(wanted.to_pylist(), found.to_pylist(), strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=0.02)


@pytest.mark.parametrize("constrained", [False, True])
def test_beams_and_probabilities_of_a_teacher_are_those_of_the_cpu(teachers, constrained):
    data, ids, (model, _), _ = teachers
    prompts = CodewordPrompts(data["train"], ids)
    rows = prompts.batches(64)[0]
    beams, probabilities = [], []
    for device in (CPU, GPU):
        network = model.to(device)
        tree = PrefixTree.from_ids(ids).to(device) if constrained else None
        batch = prompts.batch(rows, with_answers=False).to(device)
        found = generate_beams(network, batch, 25, prompts.first, tree)
        beams.append((found.score.cpu(), found.token.cpu()))
        with torch.inference_mode():
            batch = prompts.batch(rows, with_answers=True).to(device)
            logits = answer_logits(network, batch)
            probabilities.append(codeword_probabilities(logits, "all").cpu())
    torch.testing.assert_close(beams[1][0], beams[0][0], rtol=1e-3, atol=1e-3)
    assert (beams[0][1][:, :5] == beams[1][1][:, :5]).float().mean() > 0.98
    torch.testing.assert_close(probabilities[1], probabilities[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_language_model_learns_in_bfloat16_and_within_its_plan(tmp_path, method):
    folder = tiny_llama.checkpoint(tmp_path / "llama")
    learner = tiny_llama.text_learner(
        folder, bf16=True, method=method, epochs=4, checkpointing=True
    )
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    _, table = train_teacher(learner, tiny_llama.split()["dev"], False, GPU)
    loss = table["loss"].to_pylist()
    assert loss[-1] < loss[0] - 0.5
    planned = sum(memory_plan.of_network(learner.network, learner.planned).values())
    workspaces = 80e6  # of cuBLAS
    assert torch.cuda.max_memory_allocated() - before < planned + workspaces


def test_a_packed_step_waits_for_nothing(tmp_path):
    folder = tiny_llama.checkpoint(tmp_path / "llama")
    learner = tiny_llama.text_learner(folder, method="full", checkpointing=False)
    network = learner.network.to(GPU).train()
    part = learner.parts(learner.epoch(0)[0])[0].content
    sequence_packing.loss(network, part).backward()
    torch.cuda.set_sync_debug_mode("error")
    try:
        sequence_packing.loss(network, part).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_text_vectors_are_those_of_the_cpu(tmp_path):
    folder = tiny_llama.checkpoint(tmp_path / "llama")
    settings = {
        "method": "llama", "model": str(folder), "revision": None, "max_tokens": 12,
        "batch_tokens": 64, "dtype": "float32",
    }  # fmt: skip
    found = []
    for name, device in {"cpu": CPU, "gpu": GPU}.items():
        path = tmp_path / f"{name}.npy"
        text_vectors.states(tiny_llama.TITLES, tiny_llama.DESCRIPTIONS, path, settings, {}, device)
        found.append(np.load(path))
    np.testing.assert_allclose(found[1], found[0], atol=1e-4)


@pytest.mark.parametrize("name", item_cases.EVERY)
def test_networks_over_items_learn_as_on_the_cpu(name):
    network = item_cases.network(name, dropout=0.0, mask=1.0, last=1.0)
    twin = item_cases.network(name, dropout=0.0, mask=1.0, last=1.0).to(GPU)
    data = ItemData(item_cases.walks().aligned(), network.shares_rows)
    found = []
    for model in (network, twin):
        compute = partial(item_loss, "cross_entropy", model)
        step = Gradients(model, lambda b, f=compute: {"loss": f(b)}, 1.0, False, graphs=False)
        found.append(step(data.batch(np.arange(60)))["loss"].item())
        given = Histories(np.array([[3, 4, 5], [7, -1, -1]]), np.array([3, 1]))
        found.append(log_probabilities(model.eval(), given).detach().cpu().numpy())
    assert found[2] == pytest.approx(found[0], rel=1e-4)
    np.testing.assert_allclose(found[3], found[1], rtol=1e-4, atol=1e-4)
    for a, b in zip(network.parameters(), twin.parameters(), strict=True):
        if a.grad is not None:
            torch.testing.assert_close(b.grad.cpu(), a.grad, rtol=1e-3, atol=1e-5)


def test_an_ensemble_with_members_on_the_cpu_has_its_lists(shop, tmp_path):
    members = ["ease", "item_cosine", "last_item", "sasrec"]
    for name in members:
        shop.fit(name).save(tmp_path / name, {"variant": name})
    named = shop.artefacts | {"members": [str(tmp_path / name) for name in members]}
    replace(shop, artefacts=named).fit("ensemble").save(tmp_path / "all")
    wanted, found = (
        Recommender.load(tmp_path / "all", device).recommend([[1, 2, 3], [4]], 10)
        for device in (CPU, GPU)
    )
    assert [wanted[user] for user in (0, 1)] == [
        [(name, pytest.approx(score, abs=1e-4)) for name, score in found[user]] for user in (0, 1)
    ]
