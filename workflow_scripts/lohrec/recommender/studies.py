"""Settings that Optuna looks for on the dev set, in ranges: a study in one file."""

import copy
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import reduce
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.trial import TrialState

from lohrec.common import tracking

SEED = 0  # of the first draw; each trial has the next
DONE = (TrialState.COMPLETE, TrialState.PRUNED)
MEASURE = "dev_ndcg@10"
REASON = "given up"  # why, of a trial that was
GIVEN_UP = (
    optuna.TrialPruned, FloatingPointError, ValueError, MemoryError, torch.OutOfMemoryError,
)  # fmt: skip

Chosen = dict[str, Any]  # {setting: value}


def search(
    path: str | Path,
    name: str,
    ranges: Mapping[str, Mapping[str, Any]],
    trials: int,
    attempt: Callable[[Chosen, tracking.Trial], float],
) -> optuna.Study:
    """Try settings until so many trials are done. A search that was cut off goes on.

    Trials are drawn by TPE, and each depends on those before it alone. After five that were not
    given up, one is where its best figure is below their median at the same evaluation; any is
    where its losses are no longer finite, its settings cannot be used or memory
    runs out. Of a trial that was cut off the settings are tried again.

    Args:
        path: of the study, an SQLite file; one of another name is begun afresh.
        name: of the study, another one for whatever its result depends on.
        ranges: {setting: low and high, integers of a whole number, and perhaps log; or values}.
        trials: how many.
        attempt: fits with the settings, as the trial that it is handed, and returns the best
            `MEASURE`.

    Raises:
        ValueError: no trial could be fitted.
    """
    path, said = Path(path), REASON
    study = _opened(path, name)
    for cut_off in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(cut_off.number, state=TrialState.FAIL)
        study.enqueue_trial(cut_off.params)
    while (done := len(study.get_trials(states=DONE))) < trials:
        # What a trial draws is then the same whether or not the search was cut off before it.
        study.sampler = optuna.samplers.TPESampler(seed=SEED + done)
        trial = study.ask()
        chosen = {setting: _suggested(trial, setting, ranges[setting]) for setting in ranges}
        print(f"trial {done} of {trials}: {chosen}", flush=True)
        try:
            value = attempt(chosen, tracking.Trial(f"trial_{done}", _Follower(trial)))
        except GIVEN_UP as error:
            said = f"{REASON}: {error}"
            print(said, flush=True)
            trial.set_user_attr(REASON, " ".join(str(error).split()))
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, value)
    if not study.get_trials(states=(TrialState.COMPLETE,)):
        path.unlink()
        raise ValueError(f"None of {trials} trials could be fitted; the last was {said}")
    return study


def with_values(
    settings: Mapping[str, Any], places: Mapping[str, list[str]], chosen: Chosen
) -> Any:
    """Settings of a fit with what was chosen in its places.

    Args:
        places: {setting: keys from outside in}.
    """
    found = copy.deepcopy(dict(settings))
    for setting, value in chosen.items():
        *groups, last = places[setting]
        reduce(lambda group, key: group[key], groups, found)[last] = value
    return found


def rows(study: optuna.Study) -> list[dict[str, Any]]:
    """A row for each trial that is done, the best first and those given up last.

    Each has trial, settings, state (complete or pruned), evaluations, `MEASURE`, the best of them,
    None where there was none, and `REASON`, empty where it was not given up.
    """
    found = [
        {
            "trial": number,
            "settings": trial.params,
            "state": trial.state.name.lower(),
            "evaluations": len(trial.intermediate_values),
            MEASURE: max(trial.intermediate_values.values(), default=None),
            REASON: trial.user_attrs.get(REASON, ""),
        }
        for number, trial in enumerate(study.get_trials(states=DONE))
    ]
    return sorted(found, key=lambda row: (row["state"], -(row[MEASURE] or 0)))


class _Follower:
    """Tells a trial the best figure at each evaluation, and gives it up."""

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial, self.evaluations, self.best = trial, 0, 0.0

    def __call__(self, row: tracking.Row) -> None:
        if MEASURE not in row:  # another training of the job, such as S3-Rec's first
            return
        self.best = max(self.best, row[MEASURE])
        self.trial.report(self.best, self.evaluations)
        self.evaluations += 1
        if self.trial.should_prune():
            raise optuna.TrialPruned("below the median")


def _opened(path: Path, name: str) -> optuna.Study:
    storage = f"sqlite:///{path}"
    if path.exists() and _is_damaged(path):
        print(f"{path} is damaged; starting afresh")
        path.unlink()
    if path.exists() and optuna.get_all_study_names(storage) != [name]:
        print(f"{path} belongs to other settings or inputs; starting afresh")
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        storage=storage,
        study_name=name,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(),
        load_if_exists=True,
    )


def _is_damaged(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as study:
        try:
            return bool(study.execute("pragma quick_check").fetchone() != ("ok",))
        except sqlite3.OperationalError:  # locked, or the disk is full
            raise
        except sqlite3.DatabaseError:
            return True


def _suggested(trial: optuna.Trial, setting: str, tried: Mapping[str, Any]) -> Any:
    if "values" in tried:
        return trial.suggest_categorical(setting, tried["values"])
    low, high, log = tried["low"], tried["high"], tried.get("log", False)
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(setting, low, high, log=log)
    return trial.suggest_float(setting, low, high, log=log)
