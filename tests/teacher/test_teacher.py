import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModelForCausalLM

from lohrec.common import processes
from lohrec.common import training as runs
from lohrec.data.examples import Examples
from lohrec.identifiers.codewords import token_table
from lohrec.teacher import model as teacher
from lohrec.teacher import prompts as questions
from lohrec.teacher import training as teacher_training
from lohrec.teacher import training_steps

SETTINGS = {
    "kind": "scratch",
    "hidden": 32,
    "layers": 2,
    "heads": 2,
    "intermediate": 64,
    "dropout": 0.1,
    "epochs": 3,
    "batch_size": 64,
    "learning_rate": 3e-3,
    "warmup": 0.1,
    "weight_decay": 0.01,
    "clip": 1.0,
    "bf16": False,
    "evaluations": 4,
    "patience": 10,
    "dev_users": 20,
    "seed": 0,
}
CPU = torch.device("cpu")


def groups(settings):
    """The settings hold both groups."""
    return {"network": settings, "training": settings}


def train(examples, ids, settings, path=None):
    taught = training_steps.CodewordTask(examples["train"], ids, groups(settings))
    return teacher_training.train(taught, examples["dev"], settings, CPU, path, "this")


def split(lengths: list[int], items: int, seed: int = 0) -> dict[str, Examples]:
    """Leave-one-out examples of users whose sequences walk through the items in steps of one."""
    rng = np.random.default_rng(seed)
    sequences, rows = [], {"train": [], "dev": [], "test": []}
    for user, n in enumerate(lengths):
        offset = len(sequences)
        sequences += ((rng.integers(items) + np.arange(n)) % items).tolist()
        for place in range(1, n):
            name = {n - 1: "test", n - 2: "dev"}.get(place, "train")
            rows[name].append((user, offset + max(0, place - 20), offset + place))
    sequences = np.array(sequences, dtype=np.int32)
    return {
        name: Examples(sequences, *np.array(found, dtype=np.int64).T)
        for name, found in rows.items()
    }


def identifiers(items: int) -> np.ndarray:
    return np.stack([np.arange(items) // 16**i % 16 for i in (3, 2, 1, 0)], 1).astype(np.int16)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return split(rng.integers(5, 15, 60).tolist(), 40), identifiers(40)


@pytest.mark.parametrize("stride", [1, 10])
def test_windows_hold_every_example_once(stride):
    train = split([5, 23, 24, 70, 6], 100)["train"]
    windows = teacher.Windows.of(train if stride == 1 else train.aligned())
    example, row = windows.examples_of(np.arange(len(windows)))
    assert sorted(example) == list(range(len(train)))
    items = windows.items(np.arange(len(windows)), targets=True)
    for e, r in zip(example, row, strict=True):
        place = windows.place[e]
        history = train.sequences[train.start[e] : train.stop[e]]
        assert items[r, place] == train.target[e]
        assert 0 < place <= len(history)
        assert place > len(history) - stride
        np.testing.assert_array_equal(items[r, :place], history[-place:])
        if len(history) < 20:
            assert place == len(history)
    assert (items >= 0).sum(1).max() <= 21


def test_windows_never_hold_a_dev_or_test_item():
    lengths = [5, 9, 60]
    train = split(lengths, 100)["train"]
    windows = teacher.Windows.of(train.aligned())
    last_train = np.cumsum(lengths) - 3
    user = np.searchsorted(last_train, windows.start)
    assert (windows.start + windows.length <= last_train[user]).all()


def test_batches_hold_every_window_once_and_alike_numbers_of_targets():
    train = split(np.random.default_rng(1).integers(5, 60, 300).tolist(), 100)["train"]
    windows = teacher.Windows.of(train.aligned())
    parts = windows.batches(100, np.random.default_rng(0))
    assert sorted(np.concatenate(parts)) == list(range(len(windows)))
    count = [len(windows.examples_of(part)[0]) for part in parts]
    assert max(count) < 120 and sum(count) == len(train)
    assert sum(c < 80 for c in count) <= 1
    lengths = [windows.length[part] for part in parts]
    assert sum((n.max() - n).sum() for n in lengths) < 0.1 * windows.length.sum()


def test_target_logits_equal_one_full_forward_an_example(data):
    train, ids = data[0]["train"], data[1]
    model, table = teacher.build(SETTINGS).eval(), token_table(ids)
    asked = questions.CodewordQuestions(train, ids).ask(np.array([3, 0, 11]), answered=True)
    with torch.no_grad():
        logits = teacher.answer_logits(model, asked)
        for number, example in enumerate(asked.example):
            history = train.sequences[train.start[example] : train.stop[example]]
            own = table[train.target[example]]
            sequence = [teacher.START, *table[history].reshape(-1), *own]
            expected = model(torch.tensor([sequence])).logits[0, -5:-1]
            torch.testing.assert_close(logits[number], expected, atol=1e-5, rtol=1e-4)
            assert asked.answer[number].tolist() == own.tolist()


# Checkpoints at evaluations, or at every step.
@pytest.mark.parametrize("seconds", [300, 0])
def test_training_learns_resumes_and_never_sees_test_items(data, tmp_path, monkeypatch, seconds):
    examples, ids = data
    monkeypatch.setattr(runs, "SAVE_SECONDS", seconds)
    path = tmp_path / "state.pt"
    whole, history = train(examples, ids, SETTINGS, path)
    loss = history["loss"].to_pylist()
    assert loss[-1] < loss[0] < np.log(1026) * 1.1
    assert not whole.training

    # Cut off after the second evaluation, then started again.
    evaluations = iter(range(2))
    evaluate = teacher_training.accuracy

    def killed(*arguments):
        if next(evaluations, None) is None:
            raise KeyboardInterrupt
        return evaluate(*arguments)

    path.unlink()
    monkeypatch.setattr(teacher_training, "accuracy", killed)
    with pytest.raises(KeyboardInterrupt):
        train(examples, ids, SETTINGS, path)
    monkeypatch.setattr(teacher_training, "accuracy", evaluate)
    assert torch.load(path, weights_only=True)["state"]["place"]["step"] == (6 if seconds else 17)
    again, resumed = train(examples, ids, SETTINGS, path)
    columns = [name for name in history.column_names if "second" not in name]
    assert resumed.select(columns).equals(history.select(columns))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])

    # Other test items change nothing.
    test = examples["test"]
    sequences = test.sequences.copy()
    sequences[test.stop] = 0
    changed = {name: Examples(sequences, e.user, e.start, e.stop) for name, e in examples.items()}
    other, _ = train(changed, ids, SETTINGS)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])


def test_a_teacher_that_has_learned_a_rule_finds_the_next_item(data):
    examples, ids = data
    settings = SETTINGS | {"epochs": 80, "evaluations": 2, "dropout": 0.0}
    _, history = train(examples, ids, settings)
    assert history["dev_recall@10"][-1].as_py() > 0.9


def test_a_saved_teacher_is_a_transformers_model(tmp_path):
    model = teacher.build(SETTINGS).eval()
    folder = tmp_path / "teacher" / "model"
    folder.mkdir(parents=True)
    teacher.save(model, folder)
    tokens = torch.randint(0, 1024, (2, 9))
    with torch.no_grad():
        expected = model(tokens).logits
        torch.testing.assert_close(teacher.load(folder)(tokens).logits, expected)
        general = AutoModelForCausalLM.from_pretrained(folder)
        torch.testing.assert_close(general(tokens).logits, expected)
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_probabilities_are_softmaxes_over_the_level_or_over_all_codewords():
    logits = torch.randn(5, 4, 1026)
    level = teacher.probabilities(logits, "level", 2.0)
    every = teacher.probabilities(logits, "all", 1.0)
    for d in range(4):
        own = logits[:, d, d * 256 : (d + 1) * 256]
        torch.testing.assert_close(level[:, d], F.softmax(own / 2, -1))
    torch.testing.assert_close(every, F.softmax(logits[..., :1024], -1))


def test_wrong_sizes_and_missing_models_are_clear_errors():
    with pytest.raises(ValueError, match=r"teacher.network.hidden \(30\)"):
        teacher.build(SETTINGS | {"hidden": 30, "heads": 4})
    with pytest.raises(FileNotFoundError, match="train it first"):
        teacher.load("nowhere")


def test_scripts_make_the_teachers_artefacts(data, tmp_path):
    import gather_shards
    import generate_candidates
    import order_candidates
    import score_codewords
    import train_teacher

    examples, ids = data
    columns = {"split": [], "user": [], "start": [], "stop": []}
    for name, part in examples.items():
        columns["split"] += [name] * len(part)
        for key in ("user", "start", "stop"):
            columns[key] += getattr(part, key).tolist()
    columns["split"] = pa.array(columns["split"]).dictionary_encode()
    pq.write_table(pa.table(columns), tmp_path / "examples.parquet")
    np.save(tmp_path / "sequences.npy", examples["train"].sequences)
    np.save(tmp_path / "ids.npy", ids)
    common = [str(tmp_path / name) for name in ("sequences.npy", "examples.parquet", "ids.npy")]
    run = [{}, {"count": 0, "memory_gb": 0}, 1]
    model = str(tmp_path / "teacher" / "model" / "model.safetensors")

    names = ("sequences", "examples", "ids")
    inputs = dict(zip(names, common, strict=True))
    outputs = {"model": model, "history": str(tmp_path / "teacher" / "history.parquet")}
    section = {"kind": "scratch", "network": SETTINGS, "training": SETTINGS}
    train_teacher.main(inputs, outputs, {"teacher": section}, *run)
    candidates = {"beams": 5, "keep": 4, "batch_size": 16, "constrained": False, "bf16": False}
    beams = str(tmp_path / "teacher" / "beams.npy")
    report = str(tmp_path / "teacher" / "report.json")
    sharding = {"folds": 1, "shards": 3}
    settings = {"candidates": candidates, "sharding": sharding}
    shards = [str(tmp_path / "shards" / f"{n}.npy") for n in range(3)]
    for number, shard in enumerate(shards):
        generate_candidates.main(*common, model, shard, number, settings, *run)
    gather_shards.main(shards, *common[:2], beams, sharding)
    probabilities = str(tmp_path / "teacher" / "probabilities.npy")
    scoring = {"codewords": "level", "temperature": 1.0, "batch_size": 16}
    settings = {"probabilities": scoring, "sharding": sharding}
    for number, shard in enumerate(shards):
        score_codewords.main(*common, model, shard, number, settings, *run)
    gather_shards.main(shards, *common[:2], probabilities, sharding)
    for prior in ("teacher", "distance", "cooccurrence"):
        given = str(tmp_path / f"{prior}.npy"), report, prior, candidates
        order_candidates.main(*common, *given, beams if prior == "teacher" else None)

    train = examples["train"]
    assert np.load(beams).shape == (len(train), 5, 4)
    found = np.load(probabilities)
    assert found.shape == (len(train), 4, 256) and found.dtype == np.float16
    np.testing.assert_allclose(found.astype(float).sum(-1), 1, atol=5e-3)
    for name in ("teacher", "distance", "cooccurrence"):
        prior = np.load(tmp_path / f"{name}.npy")
        assert prior.shape == (len(train), 4) and prior.dtype == np.int32
        np.testing.assert_array_equal(prior[:, 0], train.target)
    assert not list((tmp_path / "teacher").glob(".*"))


def test_a_shard_without_users_has_no_batches(data):
    from lohrec.teacher import user_folds

    examples, ids = data
    _, none = user_folds.shard(examples["train"], 5000, 1, 10_000)
    assert len(none) == 0 and questions.CodewordQuestions(none, ids).batches(4) == []


def test_a_step_shared_by_processes_has_the_loss_of_the_whole(monkeypatch):
    train = split([5, 9, 6, 12, 7, 30], 20)["train"]
    ids = np.random.default_rng(0).integers(0, teacher.CODES, (20, teacher.LEVELS))
    own = training_steps.CodewordTask(train, ids, groups(SETTINGS | {"dropout": 0.0}))
    step = own.epoch(0)[0]
    (whole,) = own.parts(step)
    monkeypatch.setattr(processes, "world", lambda: 3)
    parts = own.parts(step)
    assert len(parts) == min(3, len(step)) > 1
    assert np.array_equal(np.concatenate([part.content for part in parts]), step)
    shared = sum(part.share * own.loss(part.content).item() for part in parts)
    assert shared == pytest.approx(own.loss(whole.content).item(), rel=1e-5)
