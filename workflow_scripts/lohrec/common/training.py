"""One training run, of any network: batches go in, the best state comes out (Section 4.2)."""

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lohrec.common import disk, processes, tracking
from lohrec.common.averaging import Averages
from lohrec.common.checkpoints import Checkpoint, random_state, set_random_state
from lohrec.common.job_log import progress
from lohrec.common.optimiser import adamw, learning_rate

# At most so much work is lost to a kill, and in the first pause no more than that, so that tries
# with a short time limit get on. Evaluations leave checkpoints too, at most one in each pause.
SAVE_SECONDS = 300
PAUSE_SECONDS = 30

Batch = TypeVar("Batch")
Row = dict[str, Any]
Score = Any  # a number, or a list of numbers of which the first that differs decides


def train(
    model: nn.Module,
    epoch: Callable[[int], Sequence[Batch]],
    step: Callable[[Batch], tuple[dict[str, Tensor], int]],
    evaluate: Callable[[], Row],
    better: Callable[[Row], Score | None],
    settings: dict[str, Any],
    *,
    optimizer: Optimizer | None = None,
    schedule: Callable[[int], float] | None = None,
    after: Callable[[list[Row]], Row] | None = None,
    checkpoint: Checkpoint | None = None,
    unit: str = "examples",
    remedy: str = "Lower the learning rate.",
    description: str = "training",
    trial: tracking.Trial | None = None,
) -> pa.Table:
    """Train a model, on its device, and put it into its best state; curves go to `tracking`.

    A run that was cut off goes on from its checkpoint to the same result, bit for bit on a CPU.
    Where several processes train together, each calls this, and `step` adds up the gradients.

    Args:
        epoch: the batches of an epoch by its number, always the same for that number.
        step: writes clipped gradients for a batch into the model's parameters. Returns the losses,
            which may be this process's share of them, and how many units the batch has.
        evaluate: figures of the model as it is, plain numbers; called in evaluation mode.
        better: the score of a row of the history, of which the greatest wins and a later one must
            be greater; None: the state is no candidate.
        settings: epochs; evaluations (at most so many, evenly spread) and patience (the training
            stops after so many without a better one); averaging (decay of an exponential moving
            average of the weights, which is then evaluated and returned; 0.0, as without it: none);
            learning_rate, weight_decay and warmup for the default optimiser and its schedule.
        optimizer, schedule: AdamW and a factor of its learning rate by step; see `optimiser`.
        after: called with the history, the new row last, when the best state has been chosen; it
            may change the model that the training goes on with, and what it returns joins the row.
        checkpoint: where the run leaves its state, and has left it: a run that goes on from the
            last step learns nothing more.
        unit, description: what a batch's size counts; what a job's trainings are told apart by.
        remedy: what to change where a loss is no longer finite.
        trial: that the training is of; see `tracking`.

    Returns:
        the history, a row an evaluation: step, seconds, learning_rate, the means of the losses
        since the last one, units a second, what `evaluate` and `after` return, and kept, which is
        true for the state that was chosen.

    Raises:
        ValueError: the first epoch has no batch.
        FloatingPointError: a loss is no longer finite.
    """
    run = _Run(model, settings, len(epoch(0)), optimizer, schedule, checkpoint, unit, remedy)
    at, bar = run.at, progress(None, description, run.steps, "step", run.at.step)
    model.train()
    with closing(bar), tracking.Curves(description, at.history, at.seconds, trial) as curves:
        while run.goes_on():
            for batch in epoch(at.epoch)[at.place :]:
                run.took(*step(batch))
                bar.update()
                evaluated = at.step % run.every == 0 or at.step == run.steps
                if evaluated:
                    row = run.measure(evaluate, better, after)
                    bar.set_postfix(dict(list(row.items())[3:8]))  # what a line has room for
                    curves.add(row)
                run.save(evaluated)
                if not run.goes_on():
                    break
            else:
                at.epoch, at.place = at.epoch + 1, 0
    return run.finish()


@dataclass
class _Place:
    """Where a run stands, beside its weights: all of it in plain types and tensors.

    Attributes:
        step: optimiser steps that are done.
        epoch, place: number of the epoch, and batches of it that are done.
        seconds: of the whole run.
        sums, units, lap: of losses, units and seconds since the last evaluation.
        history: rows.
        best, best_step, best_weights: of the best state.
        waited: evaluations since then.
    """

    step: int = 0
    epoch: int = 0
    place: int = 0
    seconds: float = 0.0
    sums: dict[str, Tensor] = field(default_factory=dict)
    units: int = 0
    lap: float = 0.0
    history: list[Row] = field(default_factory=list)
    best: Score | None = None
    best_step: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    waited: int = 0


class _Run:
    """The state of `train`, and what is done to it; see there for the arguments."""

    def __init__(
        self,
        model: nn.Module,
        settings: dict[str, Any],
        per_epoch: int,
        optimizer: Optimizer | None,
        schedule: Callable[[int], float] | None,
        checkpoint: Checkpoint | None,
        unit: str,
        remedy: str,
    ) -> None:
        if not per_epoch:
            raise ValueError("There is nothing to learn from: an epoch has no batch.")
        self.model, self.unit, self.remedy = model, unit, remedy
        self.steps = max(1, round(settings["epochs"] * per_epoch))
        self.every = max(1, math.ceil(self.steps / settings["evaluations"]))
        self.patience = settings["patience"]
        if optimizer is None:
            optimizer = adamw(model, settings["learning_rate"], settings["weight_decay"])
        if schedule is None:
            schedule = partial(learning_rate, steps=self.steps, warmup=settings["warmup"])
        self.optimizer, self.schedule = optimizer, LambdaLR(optimizer, schedule)
        # Views of what training changes; a frozen language model is not copied.
        parameters = dict(model.named_parameters(remove_duplicate=False))
        frozen = {name for name, p in parameters.items() if not p.requires_grad}
        self.weights = {k: v for k, v in model.state_dict().items() if k not in frozen}
        self.averages = Averages(model, settings.get("averaging", 0.0))
        self.device = next(model.parameters()).device
        self.at, self.checkpoint, self.has_saved = _Place(), checkpoint, False
        state = None if checkpoint is None else checkpoint.load()
        if state is not None:
            self._restore(state)
        self.clock = self.saved = monotonic()
        size = sum(p.numel() for p in model.parameters())
        learned = sum(p.numel() for p in model.parameters() if p.requires_grad)
        some = "" if learned == size else f", {learned / 1e6:.2f} M of them trained"
        print(f"{size / 1e6:.2f} M parameters{some}, {self.steps:,} steps", flush=True)
        if checkpoint is not None and processes.rank() == 0:
            self._require_room(checkpoint)
        if self.at.step:
            print(f"resuming at step {self.at.step:,}", flush=True)

    def _require_room(self, checkpoint: Checkpoint) -> None:
        trained = [p for p in self.model.parameters() if p.requires_grad]
        # The state, the best one, their average; AdamW has two figures a parameter.
        tensors = [*self.weights.values(), *self.weights.values(), *self.averages.values]
        size = sum(t.nbytes for t in (*tensors, *trained, *trained))
        there = checkpoint.path.stat().st_size if checkpoint.path.exists() else 0
        # A new one is written beside the last.
        disk.require(checkpoint.path, max(0, 2 * size - there), "a checkpoint")

    def goes_on(self) -> bool:
        return bool(self.at.step < self.steps and self.at.waited < self.patience)

    def took(self, losses: dict[str, Tensor], units: int) -> None:
        """Let the optimiser follow the gradients."""
        self.optimizer.step()
        self.schedule.step()
        at = self.at
        at.step, at.place, at.units = at.step + 1, at.place + 1, at.units + units
        for name, value in losses.items():
            at.sums[name] = at.sums[name] + value if name in at.sums else value.clone()
        self.averages.update(at.step)
        self._tick()

    def measure(
        self,
        evaluate: Callable[[], Row],
        better: Callable[[Row], Score | None],
        after: Callable[[list[Row]], Row] | None,
    ) -> Row:
        """A row of the history."""
        at = self.at
        processes.add_up(at.sums.values())
        steps = at.step % self.every or self.every
        means = {name: float(value) / steps for name, value in at.sums.items()}
        self._check(means)
        self._tick()  # after the device was waited for
        speed = at.units / max(at.lap, 1e-9)
        row = {"step": at.step, "seconds": 0.0, "learning_rate": self._rate()}
        row |= means | {f"{self.unit}_per_second": speed}
        self.model.eval()
        with self.averages.in_place():
            row |= evaluate()
            self._tick()
            row["seconds"] = at.seconds
            if (score := better(row)) is not None:
                at.waited += 1
                if at.best is None or score > at.best:
                    at.best, at.best_step, at.waited = score, at.step, 0
                    at.best_weights = {k: v.to("cpu", copy=True) for k, v in self.weights.items()}
        at.history.append(row)
        if after is not None:
            row |= after(at.history)
        self.model.train()
        at.sums, at.units, at.lap = {}, 0, 0.0
        print(", ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)
        return row

    def save(self, evaluated: bool) -> None:
        """Leave a checkpoint if it is time."""
        if self.checkpoint is None:
            return
        since = monotonic() - self.saved
        most = SAVE_SECONDS if self.has_saved else min(SAVE_SECONDS, PAUSE_SECONDS)
        pause = PAUSE_SECONDS if self.has_saved else 0
        # The last state too: what follows may depend on its every bit.
        due = not self.goes_on() or since >= (min(pause, most) if evaluated else most)
        if not processes.agreed(due, self.device):
            return
        self._check({name: float(value) for name, value in self.at.sums.items()})
        sums = {name: value.cpu() for name, value in self.at.sums.items()}
        each = processes.gathered({"random": random_state(), "sums": sums})
        if processes.rank() == 0:
            state = {
                "weights": self.weights,
                "averages": self.averages.values,
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "place": vars(self.at),
                "each": each,
            }
            self.checkpoint.save(state)
        self.saved, self.has_saved = monotonic(), True

    def finish(self) -> pa.Table:
        """Put the model into its best state."""
        at = self.at
        if at.best_weights:
            self._put(at.best_weights)
        self.model.eval()
        rows = [row | {"kept": row["step"] == at.best_step} for row in at.history]
        return pa.Table.from_pylist(rows)

    def _restore(self, state: dict[str, Any]) -> None:
        self._put(state["weights"])
        self.averages.restore(state["averages"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        mine = state["each"][processes.rank()]
        set_random_state(mine["random"])
        sums = {name: value.to(self.device) for name, value in mine["sums"].items()}
        self.at = _Place(**(state["place"] | {"sums": sums}))

    def _tick(self) -> None:
        now = monotonic()
        self.at.seconds += now - self.clock
        self.at.lap += now - self.clock
        self.clock = now

    def _rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def _check(self, losses: dict[str, float]) -> None:
        if not all(map(math.isfinite, losses.values())):
            raise FloatingPointError(
                f"The losses are {losses} at step {self.at.step:,}, with the learning rate "
                f"{self._rate():.2g}. {self.remedy}"
            )

    @torch.no_grad()
    def _put(self, weights: dict[str, Tensor]) -> None:
        for name, value in self.weights.items():
            value.copy_(weights[name])
