"""The training run, on a plain module of torch: a line through points."""

import pickle
from operator import itemgetter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from lohrec.common import disk, optimiser, training
from lohrec.common.checkpoints import Checkpoint

SETTINGS = {
    "epochs": 10,
    "learning_rate": 0.1,
    "weight_decay": 0.0,
    "warmup": 0.1,
    "evaluations": 5,
    "patience": 5,
}
X = torch.linspace(-1, 1, 32)
Y = 3 * X - 1


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.dropout = nn.Linear(1, 1), nn.Dropout(0.2)

    def loss(self, rows):
        return (self.linear(self.dropout(X[rows, None])).squeeze(1) - Y[rows]).square().mean()


class Run:
    """A training of a line; each step takes `seconds` of a clock that stands still otherwise."""

    def __init__(self, monkeypatch=None, seconds=0.0, killed_at=None, **changes):
        torch.manual_seed(0)
        self.model, self.settings = Line(), SETTINGS | changes
        self.now, self.seconds, self.killed_at, self.steps = 0.0, seconds, killed_at, 0
        self.seen = []
        if monkeypatch is not None:
            monkeypatch.setattr(training, "monotonic", lambda: self.now)

    def epoch(self, number):
        return np.array_split(np.random.default_rng([0, number]).permutation(32), 8)

    def step(self, rows):
        self.steps += 1
        self.now += self.seconds
        if self.steps == self.killed_at:
            raise KeyboardInterrupt
        self.model.zero_grad()
        loss = self.model.loss(rows)
        loss.backward()
        return {"loss": loss.detach()}, len(rows)

    def evaluate(self):
        self.seen.append({k: v.clone() for k, v in self.model.state_dict().items()})
        return {"dev_loss": self.model.loss(np.arange(32)).item()}

    def __call__(self, path=None, better=lambda row: -row["dev_loss"], **others):
        checkpoint = Checkpoint(path, "this") if path else None
        return training.train(
            self.model, self.epoch, self.step, self.evaluate, better, self.settings,
            checkpoint=checkpoint, **others,
        )  # fmt: skip


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_best_state_comes_back_with_a_history(monkeypatch):
    run = Run(monkeypatch, seconds=2.0)
    rows = run(better=itemgetter("dev_loss")).to_pylist()  # the worst, to tell it from the last
    assert [row["step"] for row in rows] == [16, 32, 48, 64, 80]
    assert rows[-1]["loss"] < rows[0]["loss"] and rows[-1]["dev_loss"] < 0.2
    assert [row["kept"] for row in rows] == [True, False, False, False, False]
    assert same(run.model.state_dict(), run.seen[0]) and not run.model.training
    assert rows[0]["seconds"] == 32 and rows[0]["examples_per_second"] == 2


def test_a_kill_between_evaluations_costs_five_minutes_at_most(monkeypatch, tmp_path):
    whole = Run(monkeypatch, seconds=70.0)
    history = whole()
    path = tmp_path / "state.pt"
    with pytest.raises(KeyboardInterrupt):
        Run(monkeypatch, seconds=70.0, killed_at=31)(path)
    # Saved after steps 1, 6 and 11, at the evaluation after step 16, and after 21 and 26.
    place = torch.load(path, weights_only=True)["state"]["place"]
    assert place["step"] == 26 and place["epoch"] == 3 and place["place"] == 2
    again = Run(monkeypatch, seconds=70.0)
    assert again(path).equals(history)  # with its times
    assert again.steps == 80 - 26
    assert same(again.model.state_dict(), whole.model.state_dict())


@pytest.mark.parametrize("seconds", [40.0, 70.0, 310.0])  # of a step; eight are an epoch
def test_retries_shorter_than_an_epoch_come_to_the_same_end(monkeypatch, tmp_path, seconds):
    """Each try is killed before an epoch and the first evaluation; 280 s are the shortest."""
    changes = {"seconds": seconds, "epochs": 3, "evaluations": 1}
    whole = Run(monkeypatch, **changes)
    history = whole()
    path, steps, tries = tmp_path / "state.pt", 0, 0
    while True:
        again = Run(monkeypatch, killed_at=7, **changes)
        try:
            found = again(path)
        except KeyboardInterrupt:
            tries, steps = tries + 1, steps + again.steps
            continue
        break
    assert found.equals(history) and same(again.model.state_dict(), whole.model.state_dict())
    assert tries >= 3
    lost = steps + again.steps - 24 - tries  # whole steps; the one that was killed is no time
    assert lost * seconds <= 300 * tries


@pytest.mark.parametrize("seconds", [0.1, 70.0])
def test_a_finished_training_is_not_done_again(monkeypatch, tmp_path, seconds):
    """It was killed before its outputs were recorded."""
    first = Run(monkeypatch, seconds=seconds)
    history = first(tmp_path / "state.pt")
    again = Run(monkeypatch, seconds=seconds)
    assert again(tmp_path / "state.pt").equals(history)
    assert again.steps == 0 and same(again.model.state_dict(), first.model.state_dict())


def test_a_checkpoint_has_its_room_before_the_first_step(monkeypatch, tmp_path, capsys):
    usage = SimpleNamespace(free=10**6)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: usage)
    run = Run(monkeypatch, seconds=70.0, averaging=0.9)
    run.model.linear = nn.Sequential(nn.Linear(1, 200), nn.Linear(200, 200), nn.Linear(200, 1))
    with pytest.raises(disk.DiskFull, match=r"state.pt needs 1.63 MB, 1.00 MB are free"):
        run(tmp_path / "state.pt")  # two files of five times 40,801 float32
    assert run.steps == 0
    usage.free = 10**7
    run(tmp_path / "state.pt")
    assert "a checkpoint takes 1.63 MB of disk; 10.00 MB are free" in capsys.readouterr().out
    written = (tmp_path / "state.pt").stat().st_size
    assert 0.8e6 < written < 0.9e6


def test_frequent_evaluations_do_not_save_each_time(monkeypatch, tmp_path):
    saved, save = [], Checkpoint.save
    monkeypatch.setattr(Checkpoint, "save", lambda *given: saved.append(0) or save(*given))
    Run(monkeypatch, seconds=1.0, evaluations=80, patience=80)(tmp_path / "state.pt")
    assert len(saved) == 4  # at the first evaluation, then every 30 seconds, and at the end


@pytest.mark.parametrize("seconds", [0.0, 400.0])
def test_averaged_weights_are_what_is_measured_and_returned(monkeypatch, tmp_path, seconds):
    plain = Run(monkeypatch, evaluations=80, patience=80)
    plain()
    run = Run(monkeypatch, averaging=0.9, evaluations=80, patience=80)
    torch.manual_seed(0)
    average = {name: value.clone() for name, value in Line().state_dict().items()}
    run()
    # The training itself is the same; the averages follow it.
    for step, (weights, seen) in enumerate(zip(plain.seen, run.seen, strict=True), 1):
        decay = min(0.9, (1 + step) / (10 + step))
        average = {k: decay * average[k] + (1 - decay) * weights[k] for k in average}
        torch.testing.assert_close(seen, average)
    assert any(same(run.model.state_dict(), seen) for seen in run.seen)
    # And a run that was cut off goes on with them.
    path = tmp_path / "state.pt"
    changes = {"averaging": 0.9, "evaluations": 80, "patience": 80, "seconds": seconds}
    with pytest.raises(KeyboardInterrupt):
        Run(monkeypatch, killed_at=50, **changes)(path)
    again = Run(monkeypatch, **changes)
    again(path)
    assert same(again.model.state_dict(), run.model.state_dict())


def test_patience_counts_candidates_only():
    worse = iter(range(0, -100, -1))
    run = Run(evaluations=10, patience=3)
    history = run(better=lambda row: next(worse) if row["step"] > 24 else None)
    assert history["step"].to_pylist() == [8, 16, 24, 32, 40, 48, 56]
    assert history["kept"].to_pylist().index(True) == 3


def test_what_is_done_after_an_evaluation_spares_the_best_state(monkeypatch):
    def after(history):
        with torch.no_grad():
            run.model.linear.bias.add_(1)
        return {"moved": len(history)}

    run = Run(monkeypatch)
    history = run(better=itemgetter("step"), after=after)
    assert history["moved"].to_pylist() == [1, 2, 3, 4, 5]
    assert same(run.model.state_dict(), run.seen[-1])


def test_losses_that_are_not_finite_name_a_remedy():
    run = Run(learning_rate=1e30)
    with pytest.raises(FloatingPointError, match=r"at step 16.*Take smaller steps"):
        run(remedy="Take smaller steps.")


def test_an_epoch_without_a_batch_is_an_error():
    run = Run()
    run.epoch = lambda number: []
    with pytest.raises(ValueError, match="nothing to learn from"):
        run()


def test_matrices_alone_decay():
    model = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))
    model[1].weight.requires_grad_(False)
    matrices, vectors = optimiser.adamw(model, 0.1, 0.5).param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.5, 0.0)
    assert matrices["params"] == [model[0].weight]
    assert [p.shape for p in vectors["params"]] == [(3,), (3,)]


def test_frozen_weights_are_not_in_the_checkpoint(tmp_path):
    run = Run(evaluations=1)
    run.model.other = nn.Linear(2, 2).requires_grad_(False)
    run.model.register_buffer("seen_so_far", torch.ones(1))
    run(tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)["state"]
    assert list(state["weights"]) == ["seen_so_far", "linear.weight", "linear.bias"]


def test_a_damaged_checkpoint_is_not_gone_on_from(tmp_path, capsys):
    path, state = tmp_path / "state.pt", {"weights": torch.zeros(1000), "moments": torch.ones(5000)}
    Checkpoint(path, "this").save(state)
    saved = path.read_bytes()
    for place in range(0, len(saved), len(saved) // 40):
        path.write_bytes(saved[:place] + bytes([saved[place] ^ 64]) + saved[place + 1 :])
        found = Checkpoint(path, "this").load()
        assert found is None or same(found, state), place  # some bytes are filling
    assert capsys.readouterr().out.count("starting afresh") > 30
    for length in (0, 100, len(saved) // 2, len(saved) - 1):
        path.write_bytes(saved[:length])
        assert Checkpoint(path, "this").load() is None


def test_a_checkpoint_runs_no_code(tmp_path, capsys):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "trapped"), "w")

    path = tmp_path / "state.pt"
    path.write_bytes(pickle.dumps(Trap(), protocol=2))
    assert Checkpoint(path, "this").load() is None
    torch.save({"fingerprint": "this", "state": Trap()}, path)
    assert Checkpoint(path, "this").load() is None
    assert "starting afresh" in capsys.readouterr().out
    assert not (tmp_path / "trapped").exists()
