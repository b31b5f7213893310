"""Curves of trainings: a tool has each point once, whatever cut the training off."""

import struct
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import pytest
import torch
from tensorboardX.proto.event_pb2 import Event
from torch import nn

from lohrec.common import job_log, tracking, training
from lohrec.common.checkpoints import Checkpoint

SETTINGS = {
    "epochs": 4, "learning_rate": 0.1, "weight_decay": 0.0, "warmup": 0.1, "evaluations": 4,
    "patience": 4,
}  # fmt: skip
ROWS = [{"step": 2, "seconds": 1.0, "dev_ndcg@10": 0.5}, {"step": 4, "seconds": 3.0, "loss": 2}]


@pytest.fixture(autouse=True)
def log(tmp_path, monkeypatch):
    """The log file of a job."""
    path = tmp_path / "logs/demo/fit/tiger_seed_0.log"
    monkeypatch.setenv(job_log.LOG, str(path))
    monkeypatch.delenv(tracking.TOOL, raising=False)
    return path


def points(folder):
    """(tag, step, value, time) of the file of events in a folder."""
    (file,) = folder.iterdir()
    content, at, found = file.read_bytes(), 0, []
    while at < len(content):
        (size,) = struct.unpack_from("<Q", content, at)  # then a checksum, the event, another one
        event = Event.FromString(content[at + 12 : at + 12 + size])
        found += [(v.tag, event.step, v.simple_value, event.wall_time) for v in event.summary.value]
        at += size + 16
    return found


def run(path=None, killed_at=None, **others):
    """Train a line, as often as `others` say; a checkpoint after each step."""
    torch.manual_seed(0)
    model, steps = nn.Linear(1, 1), 0

    def step(batch):
        nonlocal steps
        steps += 1
        if steps == killed_at:
            raise KeyboardInterrupt
        model.zero_grad()
        loss = (model(batch) - 3 * batch).square().mean()
        loss.backward()
        return {"loss": loss.detach()}, len(batch)

    def evaluate():
        with torch.no_grad():
            return {"dev_ndcg@10": -float((model.weight - 3).abs())}

    return training.train(
        model, lambda number: torch.linspace(-1, 1, 8).view(4, 2, 1), step, evaluate,
        lambda row: row["dev_ndcg@10"], SETTINGS, checkpoint=path and Checkpoint(path, "this"),
        **others,
    ).to_pylist()  # fmt: skip


def test_a_training_that_was_cut_off_has_each_point_once(log, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "PAUSE_SECONDS", 0)
    path = tmp_path / "state.pt"
    with pytest.raises(KeyboardInterrupt):
        run(path, killed_at=11)
    before = points(log.with_suffix("") / "training")
    assert {step for _, step, *_ in before} == {4, 8}
    history = run(path)
    found = points(log.with_suffix("") / "training")
    for tag in ("loss", "dev_ndcg_at_10", "learning_rate"):
        name = tag.replace("_at_", "@")
        curve = [(step, value) for one, step, value, _ in found if one == tag]
        expected = [(row["step"], pytest.approx(row[name], rel=1e-6)) for row in history]
        assert curve == expected and len(curve) == 4
    assert not {"step", "seconds", "kept"} & {tag for tag, *_ in found}


def test_times_are_those_of_the_training(log):
    curves = tracking.Curves("training", ROWS[:1], 2.0)
    curves.add(ROWS[1])
    curves.close()
    moments = {step: time for _, step, _, time in points(log.with_suffix("") / "training")}
    assert moments[4] - moments[2] == pytest.approx(2.0, abs=1e-3)


def test_trainings_of_a_job_have_folders_of_their_own(log):
    run(description="before")
    run()
    run(trial=tracking.Trial("trial_3", lambda row: None))
    folder = log.with_suffix("")
    assert {path.name for path in folder.iterdir()} == {"before", "training", "trial_3"}
    assert points(folder / "before") and points(folder / "trial_3/training")


def test_a_follower_sees_every_row_and_may_end_the_training(log, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "PAUSE_SECONDS", 0)
    path, seen = tmp_path / "state.pt", []
    with pytest.raises(KeyboardInterrupt):
        run(path, killed_at=11)
    history = run(path, trial=tracking.Trial("trial_0", seen.append))
    assert [row["step"] for row in seen] == [row["step"] for row in history] == [4, 8, 12, 16]

    def end(row):
        raise RuntimeError(f"enough at {row['step']}")

    with pytest.raises(RuntimeError, match="enough at 4"):
        run(trial=tracking.Trial("trial_1", end))


def test_where_there_is_no_job_nothing_is_written(log, monkeypatch):
    monkeypatch.delenv(job_log.LOG)
    run()
    monkeypatch.setenv(job_log.LOG, str(log))
    monkeypatch.setenv(tracking.TOOL, "none")
    run()
    assert not log.with_suffix("").exists()


def test_a_job_has_its_log_while_it_runs(tmp_path, monkeypatch):
    monkeypatch.delenv(job_log.LOG)
    with pytest.raises(RuntimeError), job_log.redirect(tmp_path / "a.log"):
        assert tracking.os.environ[job_log.LOG] == str(tmp_path / "a.log")
        raise RuntimeError
    assert job_log.LOG not in tracking.os.environ


def test_without_its_package_only_a_tool_that_was_asked_for_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    assert len(run()) == 4
    assert "There is no tensorboardX here" in capsys.readouterr().out
    monkeypatch.setenv(tracking.TOOL, "wandb")
    with pytest.raises(ValueError, match="tracking: wandb needs the package wandb: install it"):
        run()
    monkeypatch.setenv(tracking.TOOL, "tensorbord")
    with pytest.raises(ValueError, match=r"no 'tensorbord'.*tensorboard, mlflow, wandb, none"):
        run()


def stand_in(monkeypatch, name, **functions):
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    vars(module).update(functions)
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv(tracking.TOOL, name)


def test_mlflow_is_told_by_its_client(monkeypatch):
    """A stand-in for the package that takes its client's calls."""
    runs = {}

    class Client:
        def search_runs(self, experiment_ids, filter_string):
            name = filter_string.split("'")[1]
            infos = (SimpleNamespace(run_id=id) for id, run in runs.items() if run["name"] == name)
            return [SimpleNamespace(info=info) for info in infos]

        def delete_run(self, run_id):
            del runs[run_id]

        def create_run(self, experiment_id, run_name):
            runs[len(runs) + 7] = {"name": run_name, "metrics": [], "ended": False}
            return SimpleNamespace(info=SimpleNamespace(run_id=len(runs) + 6))

        def log_metric(self, run_id, key, value, timestamp, step):
            runs[run_id]["metrics"].append((key, value, step))

        def set_terminated(self, run_id, status):
            runs[run_id]["ended"] = status

    experiment = SimpleNamespace(experiment_id="3")
    stand_in(monkeypatch, "mlflow", MlflowClient=Client, set_experiment=lambda name: experiment)
    tracking.Curves("training", [], 0.0).add(ROWS[0])  # and is cut off
    curves = tracking.Curves("training", ROWS[:1], 1.0)
    curves.add(ROWS[1])
    curves.close()
    ((_, only),) = runs.items()
    assert (
        only["name"].endswith("logs/demo/fit/tiger_seed_0/training") and only["ended"] == "FINISHED"
    )
    assert only["metrics"] == [("dev_ndcg_at_10", 0.5, 2), ("loss", 2.0, 4)]
    with pytest.raises(KeyboardInterrupt):
        run(killed_at=5)
    ((_, broken_off),) = runs.items()
    assert broken_off["metrics"] and broken_off["ended"] == "FAILED"

    def given_up(row):
        raise RuntimeError("below the median")

    with pytest.raises(RuntimeError):
        run(trial=tracking.Trial("trial_0", given_up))
    assert [one["ended"] for one in runs.values()] == ["FAILED", "FINISHED"]


def test_weights_and_biases_goes_on_with_the_same_run(log, monkeypatch):
    """A stand-in for the package that, like it, takes no step but later ones."""
    runs = {}

    class Run:
        def __init__(self, id):
            self.id, self.points, self.ended = id, {}, False

        def log(self, figures, step):
            if step > max(self.points, default=-1):
                self.points[step] = figures

        def finish(self, exit_code):
            self.ended = exit_code == 0

    def init(project, name, dir, id, resume):
        assert resume == "allow" and project == "lohrec"
        id = id or f"run{len(runs)}"
        return runs.setdefault(id, Run(id))

    stand_in(monkeypatch, "wandb", init=init)
    tracking.Curves("training", [], 0.0).add(ROWS[0])  # and is cut off
    curves = tracking.Curves("training", ROWS[:1], 1.0)
    curves.add(ROWS[1])
    curves.close()
    (only,) = runs.values()
    assert only.points == {2: {"dev_ndcg_at_10": 0.5}, 4: {"loss": 2.0}} and only.ended
    tracking.Curves("training", [], 0.0).close()  # from the start: another run
    assert len(runs) == 2
