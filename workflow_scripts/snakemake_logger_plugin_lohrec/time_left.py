"""How long a run still takes, guessed from the steps that it has finished."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

# A step's processor seconds in the demonstration; of a rule that is not named, 1. Only their
# ratios count, until a step of the rule is finished.
COSTS = {
    "assign_semantic_ids": 4,
    "embed_items": 4,
    "generate_candidates": 9,
    "recommend_cascade": 6,
    "recommend_generator": 4,
    "recommend_teacher": 6,
    "score_codewords": 7,
    "train_fold_teacher": 30,
    "train_generator": 16,
    "train_rqvae": 6,
    "train_teacher": 40,
}
# Before this part of the cost is paid, a guess says nothing.
ENOUGH = 0.05


class TimeLeft:
    """A step to come lasts as long as the finished ones of its rule.

    Of a rule that has none, it lasts what its cost makes of the times of all finished ones. Steps
    run side by side as they did until now.
    """

    def __init__(self, steps: Mapping[str, int]) -> None:
        """Take {rule: number of steps} of the whole run."""
        self._steps = dict(steps)
        self._seconds: dict[str, list[float]] = defaultdict(list)

    def finish(self, rule: str, seconds: float) -> None:
        """A step of `rule` is done, after `seconds`."""
        self._seconds[rule].append(seconds)

    def guess(self, elapsed: float, running: Iterable[tuple[str, float]]) -> float | None:
        """Seconds left after `elapsed`; `running` has rule and seconds of every running step.

        None while too little is known.
        """
        cost = sum(COSTS.get(rule, 1) * len(times) for rule, times in self._seconds.items())
        spent = sum(map(sum, self._seconds.values()))
        whole = sum(COSTS.get(rule, 1) * n for rule, n in self._steps.items())
        if cost < ENOUGH * whole or not spent:
            return None

        def lasts(rule: str) -> float:
            times = self._seconds.get(rule)
            return sum(times) / len(times) if times else COSTS.get(rule, 1) * spent / cost

        work = sum((n - len(self._seconds[rule])) * lasts(rule) for rule, n in self._steps.items())
        running = list(running)
        work -= sum(min(so_far, lasts(rule)) for rule, so_far in running)
        return max(work, 0.0) * elapsed / (spent + sum(so_far for _, so_far in running))


def words(seconds: float) -> str:
    """A duration as people say it: `14 s`, `3 min`, `1 h 20 min`."""
    minutes = round(seconds / 60)
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
