"""Training a teacher, over codewords alone or with words: one loop for both (Section 4.2)."""

import itertools
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from transformers import PreTrainedModel

from lohrec.common import processes
from lohrec.common.checkpoints import Checkpoint, random_state, set_random_state
from lohrec.common.devices import autocast
from lohrec.common.job_log import progress
from lohrec.common.schedule import learning_rate
from lohrec.data.examples import Examples
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.teacher.beams import answers
from lohrec.teacher.training_steps import CodewordLessons, TextLessons, answer_loss

SETTINGS = {
    "epochs": {"default": 4},
    "batch_size": {"default": 128},
    "learning_rate": {"default": 5e-05},
    "evaluations": {"default": 4},
    "patience": {"default": 4},
    "dev_users": {"default": 5000},
    "seed": {"type": "integer", "default": 0, "description": "Seed of weights, order and dropout."},
}  # fmt: skip

Lessons = CodewordLessons | TextLessons


def train(
    lessons: Lessons,
    dev: Examples,
    settings: dict,
    device: torch.device,
    checkpoint_path: str | Path | None = None,
    made_of: str = "",
) -> tuple[PreTrainedModel, pa.Table]:
    """Train a teacher and return its best state on the dev set, with the history.

    Where several processes train together, each computes its share of a step's parts.

    Args:
        lessons: the network and what it learns.
        dev: dev examples; `settings["dev_users"]` of them choose the best state by NDCG@10.
        settings: the optimiser, see the section `teacher` of config/config.yaml.
        checkpoint_path: where the run leaves its state after each evaluation.
        made_of: a digest of all that the result depends on; no checkpoint outlives its change.

    Raises:
        FloatingPointError: the loss is no longer finite.
    """
    model = lessons.network.to(device)
    tree = PrefixTree.from_ids(lessons.ids).to(device)
    dev = _sample(dev, settings["dev_users"])
    if processes.rank():
        torch.manual_seed(settings["seed"] + processes.rank())  # another dropout in each process

    steps = max(1, round(settings["epochs"] * lessons.steps))
    every = max(1, math.ceil(steps / settings["evaluations"]))
    learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(
        [
            {
                "params": [p for p in learned.values() if p.ndim > 1],
                "weight_decay": settings["weight_decay"],
            },
            {"params": [p for p in learned.values() if p.ndim == 1], "weight_decay": 0.0},
        ],
        lr=settings["learning_rate"],
        betas=(0.9, 0.98),
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate(step, steps, settings["warmup"])
    )
    print(
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, "
        f"{sum(p.numel() for p in learned.values()) / 1e6:.2f} M of them trained, "
        f"{lessons.what}, {steps:,} steps"
    )

    checkpoint, state = None, None
    if checkpoint_path is not None:
        checkpoint = Checkpoint(checkpoint_path, f"{made_of} {processes.world()}")
        state = checkpoint.load()
    done, rows, best, best_weights, waited, seconds = 0, [], -1.0, None, 0, 0.0
    if state:
        _put(learned, state["weights"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        _set_random_state(state["random"])
        done, rows, best, best_weights, waited, seconds = (
            state[key] for key in ("step", "history", "best", "best_weights", "waited", "seconds")
        )
        print(f"resuming at step {done:,}")

    total, tokens, began = torch.zeros((), device=device), 0, time.monotonic()
    interval = began
    bar = progress(None, "training the teacher", total=steps, unit="step", initial=done)
    remaining = itertools.islice(_steps(lessons), done, steps)
    while waited < settings["patience"] and (step := next(remaining, None)) is not None:
        model.train()
        optimizer.zero_grad(set_to_none=True)
        parts = lessons.parts(step)
        for part in parts[processes.rank() :: processes.world()]:
            with autocast(device, settings["bf16"]):
                value = lessons.loss(part.content) * part.share
            value.backward()
            total += value.detach()
        tokens += sum(part.tokens for part in parts)
        _add_up_gradients(learned)
        torch.nn.utils.clip_grad_norm_(learned.values(), settings["clip"])
        optimizer.step()
        schedule.step()
        done += 1
        bar.update()
        if done % every and done != steps:
            continue
        processes.add_up([total])
        mean = float(total) / (done % every or every)
        total.zero_()
        if not math.isfinite(mean):
            raise FloatingPointError(
                f"The loss is {mean} at step {done}. Lower teacher.learning_rate "
                f"({settings['learning_rate']}) or set teacher.bf16 to false."
            )
        speed = tokens / (time.monotonic() - interval)
        found = accuracy(model.eval(), lessons, dev, tree, settings["bf16"])
        tokens, interval = 0, time.monotonic()
        spent = seconds + interval - began
        rate = optimizer.param_groups[0]["lr"]
        rows.append({"step": done, "seconds": spent, "learning_rate": rate, "loss": mean})
        rows[-1] |= {"tokens_per_second": speed}
        rows[-1] |= {f"dev_{name}": figure for name, figure in found.items()}
        print(", ".join(f"{k} {v:.4g}" for k, v in rows[-1].items()), flush=True)
        bar.set_postfix(loss=mean, recall=found["recall@10"], tokens_per_second=round(speed))
        waited += 1
        if found["ndcg@10"] > best:
            best, waited = found["ndcg@10"], 0
            best_weights = {name: p.detach().clone().cpu() for name, p in learned.items()}
        random = _random_state()
        if checkpoint and processes.rank() == 0:
            checkpoint.save(
                {
                    "weights": {name: p.detach() for name, p in learned.items()},
                    "optimizer": optimizer.state_dict(),
                    "schedule": schedule.state_dict(),
                    "random": random,
                    "step": done,
                    "history": rows,
                    "best": best,
                    "best_weights": best_weights,
                    "waited": waited,
                    "seconds": spent,
                }
            )
    bar.close()
    _put(learned, best_weights)
    return lessons.finish().eval(), pa.Table.from_pylist(rows)


@torch.inference_mode()
def accuracy(
    model: PreTrainedModel, lessons: Lessons, dev: Examples, tree: PrefixTree, bf16: bool | str
) -> dict[str, float]:
    """Mean loss a codeword and, at the level of identifiers, Recall@10 and NDCG@10."""
    questions = lessons.ask(dev)
    discount = 1 / torch.arange(2, 12, device=model.device).log2()
    sums = torch.zeros(3, dtype=torch.float64, device=model.device)
    batches = questions.batches(lessons.batch)[processes.rank() :: processes.world()]
    for part in batches:
        asked = questions.ask(part, answered=True).to(model.device)
        target = torch.from_numpy(dev.target[asked.example].astype(np.int64)).to(model.device)
        with autocast(model.device, bf16):
            loss = answer_loss(model, asked)
            asked = questions.ask(part, answered=False).to(model.device)
            leaf = answers(model, asked, 20, questions.first, tree).leaf[:, :10]
        hit = (leaf == tree.leaf_of_item[target].unsqueeze(1)).float()
        gain = hit @ discount[: hit.shape[1]]
        sums += torch.stack([loss.double() * len(target), hit.sum().double(), gain.sum().double()])
    processes.add_up([sums])
    names = ("loss", "recall@10", "ndcg@10")
    return dict(zip(names, (sums / len(dev)).tolist(), strict=True))


def _add_up_gradients(learned: dict[str, torch.nn.Parameter]) -> None:
    if processes.world() > 1:
        for p in learned.values():
            # A process may have had no part in this step.
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        processes.add_up(p.grad for p in learned.values())


@torch.no_grad()
def _put(learned: dict[str, torch.nn.Parameter], weights: dict[str, Tensor]) -> None:
    for name, p in learned.items():
        p.copy_(weights[name])


def _steps(lessons: Lessons) -> Iterator:
    for number in itertools.count():
        yield from lessons.epoch(number)


def _sample(examples: Examples, users: int) -> Examples:
    rows = np.random.default_rng(0).choice(len(examples), min(users, len(examples)), replace=False)
    rows.sort()
    return Examples(
        examples.sequences, examples.user[rows], examples.start[rows], examples.stop[rows]
    )


def _random_state() -> list[dict]:
    """Of every process."""
    own = random_state()
    every = [own] * processes.world()
    if processes.world() > 1:
        torch.distributed.all_gather_object(every, own)
    return every


def _set_random_state(every: list[dict]) -> None:
    set_random_state(every[processes.rank()])
