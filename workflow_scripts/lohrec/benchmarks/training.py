"""Training steps against transformers padded to 80 tokens, and against the arithmetic (Eq. 16)."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from lohrec.benchmarks import arithmetic, clock
from lohrec.benchmarks.transformers_t5 import PADDED, padded_loss, transformers_model
from lohrec.common import devices
from lohrec.data.examples import read_examples
from lohrec.identifiers.codewords import LEVELS, PAD, normalised
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender import candidate_tree
from lohrec.recommender.losses import distilled, margin_ranking
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.objective import objective
from lohrec.recommender.training import ONE_HOT
from lohrec.recommender.training_data import Batch, TrainingData


def measure(
    sequences: str,
    examples: str,
    ids: str,
    path: str,
    network: dict[str, Any],
    losses: dict[str, Any],
    settings: dict[str, Any],
) -> None:
    """Time plain and DWR steps in turns over the same batches, whose lengths are those of an epoch.

    Candidates are items of other users' targets and of neighbours in the order of identifiers, so
    that some share prefixes; the teacher's probabilities are random, as their values cost nothing.
    """
    semantic, cpu = np.load(ids).astype(np.int64), torch.device("cpu")
    train = read_examples(sequences, examples, "train")
    data = TrainingData(train, semantic, simulated_prior(train.target, semantic), None)
    rng, batches = np.random.default_rng(0), []
    # Batches at the quantiles of an epoch's lengths stand for all of it.
    epoch = sorted(data.epoch(settings["batch_size"], rng), key=lambda r: train.length[r].mean())
    picks = np.linspace(0, len(epoch) - 1, 2 * settings["batches"] + 1)[1::2].round().astype(int)
    loader = clock.in_turns({"batch": lambda: data.batch(epoch[picks[0]])}, 5)["batch"]
    for pick in picks:
        batch = data.batch(epoch[pick])
        teacher = torch.rand(len(batch.candidates), LEVELS, normalised(network["codewords"]))
        batches.append(Batch(**(vars(batch) | {"teacher": teacher / teacher.sum(-1, True)})))
    torch.manual_seed(0)
    model, theirs = T5(network), transformers_model(network)
    tree = PrefixTree.from_ids(semantic)
    steps = {
        "plain": ONE_HOT,
        "dwr": {"loss": "distilled", "generation": 1.0, "ranking": 1.0, "losses": losses},
    }
    rows = []
    for dtype, precision in clock.types().items():
        bf16 = precision == torch.bfloat16
        product, operations = clock.multiply(precision)
        rivals = {"product": product}
        for name, objective_settings in steps.items():
            rivals[name] = step(model, partial(run, model, tree, objective_settings), batches, bf16)
        rivals["rival"] = step(theirs, partial(padded_loss, theirs), batches, bf16)
        seconds = clock.in_turns(rivals, settings["rounds"])
        rate = operations / seconds["product"]
        count = sum(len(batch.candidates) for batch in batches)
        for name in steps:
            floor = sum(work(network, batch, name == "dwr") for batch in batches) / rate
            ours, rival, least = (
                1000 * s / count for s in (seconds[name], seconds["rival"], floor)
            )
            rows.append(clock.row(f"{name} step", dtype, ours, rival, least, "ms an example"))
            rows[-1]["share_of_rival"] = seconds[name] / seconds["rival"]
            rows[-1]["share_of_plain"] = seconds[name] / seconds["plain"]
            rows[-1]["products"] = clock.share_of_products(rivals[name])
        with devices.autocast(cpu, bf16):
            middle = batches[len(batches) // 2]
            memory = saved_bytes(partial(run, model, tree, steps["dwr"]), middle)
            naive = saved_bytes(partial(naive_dwr, model, tree, steps["dwr"]), middle)
        rows.append(
            clock.row("dwr step, saved for backward", dtype, memory / 1e6, naive / 1e6, unit="MB")
        )
    plain = next(r["ours"] for r in reversed(rows) if r["name"] == "plain step")
    each = 1000 * loader / settings["batch_size"]
    rows.append(clock.row("making a batch, against a plain step", dtype, each, plain))
    rows[-1]["unit"] = "ms an example"
    clock.write(path, rows, examples=len(train), batch_size=settings["batch_size"])


def simulated_prior(target: np.ndarray, ids: np.ndarray, keep: int = 16) -> np.ndarray:
    """Candidates of every target: itself, its neighbours among the sorted identifiers, others."""
    rng = np.random.default_rng(0)
    order = np.lexsort(ids.T[::-1])
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    near = place[target][:, None] + rng.integers(-20, 21, (len(target), keep // 2))
    far = rng.choice(target, (len(target), keep - 1 - keep // 2))
    return np.hstack([target[:, None], order[near % len(order)], far]).astype(np.int32)


def run(model: T5, tree: PrefixTree, settings: dict[str, Any], batch: Batch) -> torch.Tensor:
    """Our loss; a plain step reads the target alone, as where a row names no prior."""
    if not settings["ranking"]:
        target = {"candidates": batch.candidates[:, :1], "real": batch.real[:, :1]}
        batch = Batch(**(vars(batch) | target))
    return objective(model, batch, tree, settings)["loss"]


def naive_dwr(model: T5, tree: PrefixTree, settings: dict[str, Any], batch: Batch) -> torch.Tensor:
    """The DWR loss with every history repeated for each candidate, padded to 80 tokens."""
    count = batch.candidates.shape[1]
    history = torch.nn.functional.pad(
        batch.history, (0, PADDED - batch.history.shape[1]), value=PAD
    )
    # The encoder runs once; its states are repeated.
    row = torch.arange(len(history)).repeat_interleave(count)
    memory, mask = model.encode(history)
    assert mask is not None  # histories are padded
    states = [(k[row], v[row]) for k, v in memory], mask[row]
    flat = batch.candidates.flatten(0, 1)[:, None]
    scores, log_p = candidate_tree.score(model, states, flat, tree)
    along_target, each = log_p.unflatten(0, (-1, count))[:, 0], settings["losses"]
    code = batch.candidates[:, 0]
    generation = distilled.loss(along_target, code, batch, each["distilled"])
    scores = margin_ranking.score(scores.view(-1, count), LEVELS)
    ranking = margin_ranking.loss(scores, batch.real, each["margin_ranking"])
    total: torch.Tensor = generation + settings["ranking"] * ranking
    return total


def step(
    model: torch.nn.Module,
    loss: Callable[..., torch.Tensor],
    batches: list[Batch],
    bf16: bool,
) -> Callable[[], object]:
    """A function that takes one optimiser step on every batch."""
    one = clock.descend(model, loss, bf16)
    return lambda: [one(batch) for batch in batches]


def work(network: dict[str, Any], batch: Batch, ranked: bool) -> int:
    """Operations of a step on the batch, with each distinct prefix of an example counted once."""
    total = 0
    ids = batch.candidates if ranked else batch.candidates[:, :1]
    for length, row in zip(batch.length.tolist(), ids, strict=True):
        queries = [1, *(len(row[:, :depth].unique(dim=0)) for depth in range(1, LEVELS))]
        total += arithmetic.training_step(network, queries, length)
    return total


def saved_bytes(loss: Callable[[Batch], torch.Tensor], batch: Batch) -> int:
    """Bytes of the distinct tensors that a forward pass keeps for the backward pass."""
    kept = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        value = loss(batch)
    value.detach_()
    return sum(kept.values())
