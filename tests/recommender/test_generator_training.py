import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from objectives import grouped

from lohrec.common import job_log
from lohrec.common import training as runs
from lohrec.common.optimiser import learning_rate
from lohrec.data.examples import Examples
from lohrec.identifiers.codewords import CODES, LEVELS, tokens
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender import training as generator_training
from lohrec.recommender.decoding import recommend
from lohrec.recommender.losses import margin_ranking, smoothed
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.networks.t5_tokens import START
from lohrec.recommender.objective import objective
from lohrec.recommender.training_data import TrainingData

SETTINGS = {
    "name": "t5",
    "d_model": 32,
    "d_ff": 64,
    "heads": 2,
    "d_kv": 16,
    "layers": 1,
    "decoder_layers": 1,
    "dropout": 0.1,
    "codewords": "level",
    "causal_encoder": False,
    "recency": False,
    "batch_size": 32,
    "epochs": 6,
    "learning_rate": 1e-2,
    "warmup": 0.1,
    "weight_decay": 0.01,
    "clip": 1.0,
    "bf16": False,
    "smoothing": 0.1,
    "mixture": 0.0,
    "margin": 0.01,
    "reduction": "mean",
    "ranked_target": True,
    "evaluations": 3,
    "patience": 5,
    "dev_users": 50,
    "loss": "one_hot",
    "generation": 1.0,
    "ranking": 0.0,
}
DECODING = {
    "beams": 10,
    "top": 10,
    "batch_size": 64,
    "exclude_history": False,
    "renormalise": False,
}
ITEMS, USERS, LENGTH = 30, 60, 8


def train(data, dev, settings, *rest, **named):
    """The settings hold all three groups."""
    return generator_training.train(
        data, dev, settings, settings, grouped(settings), *rest, **named
    )


@pytest.fixture(scope="module")
def cycle():
    """Users who walk through the items in one fixed cycle: the next item is certain."""
    rng = np.random.default_rng(0)
    ids = np.unique(rng.integers(0, CODES, (2 * ITEMS, LEVELS)), axis=0)[:ITEMS]
    start = rng.integers(0, ITEMS, USERS)
    sequences = ((start[:, None] + np.arange(LENGTH)) % ITEMS).astype(np.int32).ravel()
    splits = {}
    for split, stops in {"train": range(1, LENGTH - 2), "dev": [LENGTH - 2]}.items():
        user = np.repeat(np.arange(USERS), len(stops))
        stop = user * LENGTH + np.tile(stops, USERS)
        splits[split] = Examples(sequences, user.astype(np.int32), user * LENGTH, stop)
    rng = np.random.default_rng(1)
    n = len(splits["train"])
    prior = np.stack([rng.permutation(ITEMS)[:16] for _ in range(n)]).astype(np.int32)
    prior[:, 0] = splits["train"].target
    prior[::3, 10:] = -1
    teacher = torch.from_numpy(rng.normal(size=(n, LEVELS, CODES))).softmax(-1).half().numpy()
    return splits, TrainingData(splits["train"], ids, prior, teacher)


def test_learns_a_certain_next_item(cycle):
    splits, data = cycle
    plain = TrainingData(data.examples, data.ids)
    settings = SETTINGS | {"epochs": 20, "dropout": 0.0}
    _, history = train(plain, splits["dev"], settings, DECODING, 0, torch.device("cpu"))
    assert history["dev_recall@10"].to_pylist()[-1] >= 0.85
    assert history["dev_ndcg@10"].to_pylist()[-1] > 0.75


def test_the_loss_of_the_dev_set_is_that_of_its_true_items(cycle):
    splits, data = cycle
    plain = TrainingData(data.examples, data.ids)
    settings = SETTINGS | {"epochs": 1, "evaluations": 1}
    model, history = train(plain, splits["dev"], settings, DECODING, 0, torch.device("cpu"))
    # The dev sample is a choice of 50 of 60 users, drawn with seed 0.
    sample = np.random.default_rng(0).choice(USERS, 50, replace=False)
    batch = TrainingData(splits["dev"], data.ids).batch(sample)
    expected = objective(model, batch, PrefixTree.from_ids(data.ids), grouped(SETTINGS))[
        "loss"
    ].item()
    assert history["dev_loss"].to_pylist() == [pytest.approx(expected, rel=1e-5)]


def test_stops_after_as_many_evaluations_as_it_has_patience_for(cycle):
    splits, data = cycle
    idle = SETTINGS | {"learning_rate": 0.0, "epochs": 1, "evaluations": 8, "patience": 2}
    plain = TrainingData(data.examples, data.ids)
    _, history = train(plain, splits["dev"], idle, DECODING, 0, torch.device("cpu"))
    assert len(history) == 3


WARM = {"warm_epochs": 2, "warm_learning_rate": 1e-3}


def test_a_ranker_is_chosen_by_the_order_it_gives_to_its_retrievers_candidates(cycle):
    splits, data = cycle
    torch.manual_seed(0)
    start = T5(SETTINGS).eval()
    settings = SETTINGS | WARM | {"generation": 0.0, "ranking": 1.0, "evaluations": 1}
    decoding = DECODING | {"rerank": 12}
    ranker, history = train(data, splits["dev"], settings, decoding, 0, torch.device("cpu"), start)
    tree = PrefixTree.from_ids(data.ids)
    lists = decoding | {"top": 10}
    leaf, _ = recommend(start, splits["dev"], data.ids, tree, lists, "", ranker)
    hit = leaf == tree.leaf_of_item[splits["dev"].target][:, None]
    # The dev sample is a choice of 50 of 60 users, drawn with seed 0.
    sample = np.random.default_rng(0).choice(len(hit), 50, replace=False)
    expected = hit[sample].any(1).float().mean().item()
    assert history["dev_recall@10"].to_pylist() == [pytest.approx(expected)]


def test_a_row_keeps_the_architecture_of_the_model_it_starts_from(cycle):
    splits, data = cycle
    start = T5(SETTINGS | {"causal_encoder": True})
    with pytest.raises(ValueError, match="causal_encoder differ"):
        train(data, splits["dev"], SETTINGS | WARM, DECODING, 0, torch.device("cpu"), start)


def test_a_mixture_is_the_weighted_mean_of_both_generation_losses(cycle):
    _, data = cycle
    torch.manual_seed(0)
    model, batch = T5(SETTINGS | {"dropout": 0.0}), data.batch(np.arange(20))
    tree = PrefixTree.from_ids(data.ids)
    own = {
        name: objective(model, batch, tree, grouped(SETTINGS | change))["generation"].item()
        for name, change in {
            "true": {"loss": "one_hot"},
            "teacher": {"loss": "distilled"},
            "mixed": {"loss": "distilled", "mixture": 0.3},
        }.items()
    }
    assert own["mixed"] == pytest.approx(0.3 * own["true"] + 0.7 * own["teacher"], rel=1e-5)


@pytest.mark.parametrize("codewords", ["level", "all"])
def test_the_whole_objective_equals_the_naive_one(cycle, codewords):
    _, data = cycle
    torch.manual_seed(0)
    model = T5(SETTINGS | {"dropout": 0.0, "codewords": codewords})
    settings = SETTINGS | {"loss": "smoothed", "ranking": 0.7, "ranked_target": False}
    rows, tree = np.arange(0, 40, 3), PrefixTree.from_ids(data.ids)
    found = objective(model, data.batch(rows), tree, grouped(settings))
    found["loss"].backward()
    ours = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()

    generation, rank = 0, 0
    ranked = {"margin": 0.01, "reduction": "mean", "ranked_target": True}
    chain = torch.arange(LEVELS), torch.ones(1, LEVELS, LEVELS, dtype=torch.bool).tril()
    first = torch.tensor([model.first_code(d) for d in range(LEVELS)])
    for row in rows:
        ex = data.examples
        past = torch.from_numpy(data.ids[ex.sequences[ex.start[row] : ex.stop[row]]])
        memory = model.encode(tokens(past).reshape(1, -1))
        score = []
        for place, item in enumerate(data.prior[row]):
            if item < 0:
                continue
            target = torch.from_numpy(data.ids[item])
            token = torch.cat([torch.tensor([START]), tokens(target)[:-1]])[None]
            state, _ = model.decode(token, *chain, memory)
            log_p = torch.stack([model.log_probabilities(state[0, d], d) for d in range(LEVELS)])
            score.append(log_p.gather(1, (target + first)[:, None]).sum() / LEVELS)
            if place == 0:
                wanted = smoothed.target(target + first, log_p < 1, 0.1)
                generation = generation - (wanted * log_p).sum(-1).mean()
        score = torch.stack(score)[1:]  # the target is left out
        real = torch.ones(1, len(score), dtype=torch.bool)
        rank = rank + margin_ranking.loss(score[None], real, ranked)
    loss = (generation + 0.7 * rank) / len(rows)
    loss.backward()
    torch.testing.assert_close(found["loss"], loss, rtol=1e-4, atol=1e-5)
    for name, p in model.named_parameters():
        torch.testing.assert_close(ours[name], p.grad, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("change", [{}, {"codewords": "legal", "recency": True}])
def test_shared_rows_change_nothing_but_the_time(cycle, change):
    _, data = cycle
    torch.manual_seed(0)
    model = T5(SETTINGS | {"dropout": 0.0, "causal_encoder": True} | change)
    if change:
        torch.nn.init.normal_(model.recency.weight)
    settings = SETTINGS | {"loss": "distilled", "ranking": 0.7}
    shared, tree = replace(data, shared=True), PrefixTree.from_ids(data.ids)
    rows = np.concatenate(shared.epoch(40, np.random.default_rng(0))[:2])
    apart = objective(model, data.batch(rows), tree, grouped(settings))
    together = objective(model, shared.batch(rows), tree, grouped(settings))
    for name, value in apart.items():
        torch.testing.assert_close(together[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "row",
    [
        {"loss": "smoothed"},
        {"loss": "distilled"},
        {"loss": "distilled", "ranking": 1.0},
        {"loss": "one_hot", "generation": 0.0, "ranking": 1.0, "reduction": "by_gap"},
    ],
)
def test_every_kind_of_row_trains(cycle, row):
    splits, data = cycle
    settings = SETTINGS | row | {"epochs": 4}
    _, history = train(data, splits["dev"], settings, DECODING, 0, torch.device("cpu"))
    losses = history["loss"].to_pylist()
    assert losses[-1] < losses[0]


def test_a_model_that_ranking_keeps_uniform_is_told_of_once_on_the_terminal(cycle, monkeypatch):
    splits, data = cycle
    monkeypatch.setattr(job_log, "_terminal", io.StringIO())
    # A model that learns nothing stays near uniform, at each of its evaluations.
    settings = SETTINGS | {"learning_rate": 0.0, "epochs": 1}
    for ranking, told in ((0.0, 0), (0.5, 1)):
        row = settings | {"ranking": ranking}
        _, history = train(data, splits["dev"], row, DECODING, 0, torch.device("cpu"))
        assert len(history) == 3
        assert job_log._terminal.getvalue().count("WARNING: L_gen") == told


# Checkpoints at evaluations, or at every step.
@pytest.mark.parametrize("seconds", [300, 0])
def test_a_run_cut_off_goes_on_to_the_same_result(cycle, tmp_path, monkeypatch, seconds):
    splits, data = cycle
    monkeypatch.setattr(runs, "SAVE_SECONDS", seconds)
    settings = SETTINGS | {"loss": "distilled", "ranking": 0.5}

    def run(path):
        return train(data, splits["dev"], settings, DECODING, 3, torch.device("cpu"), None, path)

    whole, history = run(None)

    evaluate, calls = generator_training.accuracy, []

    def cut(*args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return evaluate(*args)

    monkeypatch.setattr(generator_training, "accuracy", cut)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "checkpoint.pt")
    monkeypatch.setattr(generator_training, "accuracy", evaluate)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["state"]
    assert state["place"]["step"] == (18 if seconds else 35)
    again, history_again = run(tmp_path / "checkpoint.pt")
    assert len(calls) == 2 and history_again.num_rows == history.num_rows
    columns = [name for name in history.column_names if "second" not in name]
    assert history_again.select(columns).equals(history.select(columns))
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_rows_of_another_run_are_refused(cycle):
    _, data = cycle
    with pytest.raises(ValueError, match="prior has 5 rows"):
        TrainingData(data.examples, data.ids, prior=data.prior[:5])


def test_learning_rate_rises_and_falls():
    factor = [learning_rate(step, 100, 0.1) for step in range(100)]
    assert factor[9] == pytest.approx(1.0) and factor[0] == pytest.approx(0.1)
    assert factor[:10] == sorted(factor[:10])
    assert factor[10:] == sorted(factor[10:], reverse=True)
    assert factor[-1] < 1e-3
