"""Curves of trainings where people look for them: TensorBoard, MLflow or Weights & Biases.

The environment variable `TOOL` names the tool, TensorBoard where nothing is said. A training of no
job, which has no log file to keep its curves beside, has none.
"""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from lohrec.common.job_log import LOG

TOOL = "LOHREC_TRACKING"
PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}
PROJECT = "lohrec"  # in tools that many programs share

Row = dict[str, Any]


class Trial(NamedTuple):
    """One of several fits of a job.

    Attributes:
        name: which tells its curves from the others'.
        follow: called with each row of their histories, those of a run that goes on once more; what
            it raises ends the training.
    """

    name: str
    follow: Callable[[Row], None]


class Run(Protocol):
    """A training as a tool knows it."""

    def add(self, figures: dict[str, float], step: int, moment: float) -> None:
        """Figures of a step, which were known at a moment in seconds since 1970."""

    def close(self, failed: bool) -> None:
        """The training has ended."""


class Curves:
    """The curves of one training, of which a tool has each point once.

    Args:
        description: of the training, among those of its job.
        history: what it has found before it was cut off; such a run replaces what it has told.
        seconds: that it has run.
        trial: that it is of, if any.
    """

    def __init__(
        self,
        description: str,
        history: Sequence[Row],
        seconds: float,
        trial: Trial | None = None,
    ) -> None:
        from lohrec.common import processes  # here: the Snakefile reads TOOL without PyTorch

        self.began = time.time() - seconds
        self.trial, self.run, self.given_up = trial, None, False
        if LOG in os.environ and processes.rank() == 0:
            folder = Path(os.environ[LOG]).with_suffix("") / (trial.name if trial else "")
            self.run = _opened(folder / description.replace(" ", "_"), bool(history))
        try:
            for row in history:
                self.add(row)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(failed=kind is not None and not self.given_up)

    def add(self, row: Row) -> None:
        """Add a row of the history: numbers by name, among them step and seconds."""
        if self.run is not None:
            # No tool takes all of the field's names.
            figures = {
                name.replace("@", "_at_"): float(value)
                for name, value in row.items()
                if name not in ("step", "seconds") and isinstance(value, int | float)
            }
            self.run.add(figures, row["step"], self.began + row["seconds"])
        if self.trial is not None:
            self.given_up = True  # where it raises
            self.trial.follow(row)
            self.given_up = False

    def close(self, failed: bool = False) -> None:
        """Say that the training has ended."""
        if self.run is not None:
            self.run.close(failed)


def _opened(folder: Path, goes_on: bool) -> Run | None:
    """A run of the tool that is asked for, named by a folder, which only TensorBoard's files fill.

    Raises:
        ValueError: the tool is unknown, or its package is missing.
    """
    tool = os.environ.get(TOOL, "tensorboard")
    if tool == "none":
        return None
    if tool not in RUNS:
        raise ValueError(f"{TOOL}: there is no {tool!r}. There is: {', '.join(RUNS)}, none.")
    if find_spec(PACKAGES[tool]) is None:
        if TOOL in os.environ:
            raise ValueError(
                f"tracking: {tool} needs the package {PACKAGES[tool]}: install it with pip, or "
                "set tracking to none."
            )
        print(f"There is no {PACKAGES[tool]} here: no curves beside the history.")
        return None
    return RUNS[tool](folder, goes_on)


class _TensorBoard:
    """A folder with one file of events."""

    def __init__(self, folder: Path, goes_on: bool) -> None:
        from tensorboardX.event_file_writer import EventsWriter

        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        # It writes at once; SummaryWriter hands on to a thread, which a kill may overtake.
        self.writer = EventsWriter(str(folder / "events"))

    def add(self, figures: dict[str, float], step: int, moment: float) -> None:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        self.writer.write_event(Event(wall_time=moment, step=step, summary=Summary(value=values)))
        self.writer.flush()

    def close(self, failed: bool) -> None:
        self.writer.close()


class _MLflow:
    """A run where MLFLOW_TRACKING_URI says, which takes the place of one with its name."""

    def __init__(self, folder: Path, goes_on: bool) -> None:
        import mlflow

        name = _name(folder)
        self.client = mlflow.MlflowClient()
        experiment = mlflow.set_experiment(PROJECT).experiment_id
        for old in self.client.search_runs([experiment], f"attributes.run_name = '{name}'"):
            self.client.delete_run(old.info.run_id)
        self.id = self.client.create_run(experiment, run_name=name).info.run_id

    def add(self, figures: dict[str, float], step: int, moment: float) -> None:
        for name, value in figures.items():
            self.client.log_metric(self.id, name, value, int(1000 * moment), step)

    def close(self, failed: bool) -> None:
        self.client.set_terminated(self.id, status="FAILED" if failed else "FINISHED")


class _WeightsAndBiases:
    """A run where WANDB_MODE and its account say; one that goes on is the same run."""

    def __init__(self, folder: Path, goes_on: bool) -> None:
        import wandb

        known = folder / "run"
        folder.mkdir(parents=True, exist_ok=True)
        id = known.read_text() if goes_on and known.exists() else None
        # It takes no second point of a step, so that a history may be told again.
        self.run = wandb.init(
            project=PROJECT, name=_name(folder), dir=str(folder), id=id, resume="allow"
        )
        known.write_text(self.run.id)

    def add(self, figures: dict[str, float], step: int, moment: float) -> None:
        self.run.log(figures, step=step)

    def close(self, failed: bool) -> None:
        self.run.finish(exit_code=int(failed))


def _name(folder: Path) -> str:
    """demo/fit/tiger_seed_0/training of logs/demo/fit/tiger_seed_0/training."""
    parts = folder.parts
    return "/".join(parts[1:] if parts[0] == "logs" else parts)


RUNS: dict[str, Callable[[Path, bool], Run]] = {
    "tensorboard": _TensorBoard,
    "mlflow": _MLflow,
    "wandb": _WeightsAndBiases,
}
