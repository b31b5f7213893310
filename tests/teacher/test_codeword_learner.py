"""Training a teacher over codewords alone."""

import numpy as np
import pytest
import tiny_walks
import torch

from lohrec.common import processes
from lohrec.data.examples import Examples
from lohrec.identifiers.codewords import CODES, LEVELS
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.teacher import training
from lohrec.teacher.codeword_learner import CodewordLearner
from lohrec.teacher.training import train_teacher


@pytest.fixture(scope="module")
def data():
    return tiny_walks.data()


def train(examples, ids, settings, path=None):
    learner = CodewordLearner(examples["train"], ids, tiny_walks.groups(settings))
    return train_teacher(learner, examples["dev"], False, torch.device("cpu"), path, "this")


# Checkpoints at evaluations, or at every step.
@pytest.mark.parametrize("seconds", [300, 0])
def test_training_learns_resumes_and_never_sees_test_items(data, tmp_path, monkeypatch, seconds):
    examples, ids = data
    monkeypatch.setattr("lohrec.common.training.SAVE_SECONDS", seconds)
    path = tmp_path / "state.pt"
    whole, history = train(examples, ids, tiny_walks.SETTINGS, path)
    loss = history["loss"].to_pylist()
    assert loss[-1] < loss[0] < np.log(1026) * 1.1
    assert not whole.training

    # Cut off after the second evaluation, then started again.
    evaluations = iter(range(2))
    evaluate = training.accuracy

    def killed(*arguments):
        if next(evaluations, None) is None:
            raise KeyboardInterrupt
        return evaluate(*arguments)

    path.unlink()
    monkeypatch.setattr(training, "accuracy", killed)
    with pytest.raises(KeyboardInterrupt):
        train(examples, ids, tiny_walks.SETTINGS, path)
    monkeypatch.setattr(training, "accuracy", evaluate)
    assert torch.load(path, weights_only=True)["state"]["place"]["step"] == (6 if seconds else 17)
    again, resumed = train(examples, ids, tiny_walks.SETTINGS, path)
    columns = [name for name in history.column_names if "second" not in name]
    assert resumed.select(columns).equals(history.select(columns))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])

    # Other test items change nothing.
    test = examples["test"]
    sequences = test.sequences.copy()
    sequences[test.stop] = 0
    changed = {name: Examples(sequences, e.user, e.start, e.stop) for name, e in examples.items()}
    other, _ = train(changed, ids, tiny_walks.SETTINGS)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])


def test_a_teacher_that_has_learned_a_rule_finds_the_next_item(data):
    examples, ids = data
    settings = tiny_walks.SETTINGS | {"epochs": 80, "evaluations": 2, "dropout": 0.0}
    _, history = train(examples, ids, settings)
    assert history["dev_recall@10"][-1].as_py() > 0.9


@pytest.mark.parametrize("exclude_history", [False, True])
def test_the_dev_set_has_lists_with_or_without_own_items(exclude_history):
    # Eight items, so a list of ten holds all that it may; every target is in its history.
    sequences, ids = np.tile(np.arange(8, dtype=np.int32), 2), tiny_walks.identifiers(8)
    dev = Examples(sequences, np.arange(3), np.array([0, 1, 2]), np.array([8, 10, 12]))
    learner = CodewordLearner(dev, ids, tiny_walks.groups(tiny_walks.SETTINGS))
    tree = PrefixTree.from_ids(ids)
    found = training.accuracy(learner.network.eval(), learner, dev, exclude_history, tree, False)
    assert found["dev_recall@10"] == (0 if exclude_history else 1)


def test_a_step_shared_by_processes_has_the_loss_of_the_whole(monkeypatch):
    train = tiny_walks.split([5, 9, 6, 12, 7, 30], 20)["train"]
    ids = np.random.default_rng(0).integers(0, CODES, (20, LEVELS))
    learner = CodewordLearner(train, ids, tiny_walks.groups(tiny_walks.SETTINGS | {"dropout": 0.0}))
    step = learner.epoch(0)[0]
    (whole,) = learner.parts(step)
    monkeypatch.setattr(processes, "world", lambda: 3)
    parts = learner.parts(step)
    assert len(parts) == min(3, len(step)) > 1
    assert np.array_equal(np.concatenate([part.content for part in parts]), step)
    shared = sum(part.share * learner.loss(part.content).item() for part in parts)
    assert shared == pytest.approx(learner.loss(whole.content).item(), rel=1e-5)
