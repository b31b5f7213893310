"""One line a step, with its time and what is left, in place of Snakemake's ten."""

import logging
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from snakemake.logging import ColorizingTextHandler
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_lohrec.screen import Screen
from snakemake_logger_plugin_lohrec.time_left import TimeLeft, words

# What Snakemake says between the steps; its own log has it all.
ROUTINE = (
    "Assuming unrestricted shared filesystem usage",
    "Building DAG of jobs",
    "Using shell:",
    "Conda environments: ignored",
    "Select jobs to execute",
    "Execute ",
    "Elapsed time:",
    "Loading script code for rule",
    "Shutting down, this might take some time",
    "Exiting because a job execution failed",
    "At least one job did not complete successfully",
)
SHOWN = frozenset({None, LogEvent.ERROR, LogEvent.GROUP_ERROR})
# Of a failed step's log, where it does not say why: a job that was killed.
LAST_LINES = 25
# Lines of a log that users should see, as `lohrec.common.job_log` writes them. An error is the end.
WARNING = "WARNING: "
ERROR = "ERROR: "


@dataclass
class Step:
    """A job that runs."""

    rule: str
    wildcards: str
    logs: list[str]
    since: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._earlier = {path: written(path) for path in self.logs}

    def has_not_written(self, path: str) -> bool:
        """Whether a log says only what an earlier run wrote: the step never began."""
        return bool(earlier := self._earlier.get(path)) and written(path) == earlier

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.since

    def line(self) -> str:
        """Its columns: rule, wildcards, time."""
        return f"{self.rule:<22} {self.wildcards:<28}{words(self.seconds):>10}"


class LogHandler(LogHandlerBase):
    """The handler that Snakemake makes for `--logger lohrec`.

    A dry run and `--verbose` look as without it, and `--quiet` hides the steps. Of a step that
    failed, what its log says of the error is shown, and the log's end if it says nothing. On a
    terminal the running steps stand below, each with the last line of its log, so jobs keep their
    progress there (see `lohrec.common.job_log`).
    """

    def __post_init__(self) -> None:
        settings = self.common_settings
        stream = sys.stdout if settings.stdout else sys.stderr
        self._screen = Screen(stream)
        self._usual: ColorizingTextHandler | None = None
        self._start = time.monotonic()
        self._running: dict[int, Step] = {}
        self._failed: set[int] = set()
        self._done = self._total = 0
        self._time_left = TimeLeft({})
        self._over = threading.Event()
        if settings.dryrun or settings.verbose or settings.debug_dag:
            self._usual = ColorizingTextHandler(settings.nocolor, stream)
        else:
            os.environ["LOHREC_PROGRESS"] = "log"
            if self._screen.is_terminal:
                threading.Thread(target=self._redraw, daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record of Snakemake's, if it is for people."""
        try:
            if self._usual:
                self._usual.setFormatter(self.formatter)
                self._usual.emit(record)
            else:
                self._show(record)
                self._draw()
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Say how the run went."""
        self._over.set()
        with self._alone():
            if self._total:
                failed = f", {len(self._failed)} failed" if self._failed else ""
                took = words(time.monotonic() - self._start)
                self._screen.write(f"{self._done} of {self._total} steps done{failed}, in {took}.")
                self._total = 0
        super().close()

    def _show(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO:
            self._plan(dict(vars(record)["stats"]))
        elif event == LogEvent.JOB_INFO:
            self._begin(record)
        elif event == LogEvent.JOB_FINISHED:
            self._finish(vars(record)["job_id"])
        elif event == LogEvent.JOB_ERROR:
            self._fail(record)
        elif event in SHOWN and not routine(record):
            self._screen.write(self.format(record))

    def _plan(self, steps: dict[str, int]) -> None:
        self._total = steps.pop("total")
        self._time_left = TimeLeft(steps)
        self._start = time.monotonic()
        self._screen.write(f"{self._total} steps to do. Each one's log is in logs/.")

    def _begin(self, record: logging.LogRecord) -> None:
        job = vars(record)
        names = job["wildcards"].items()
        # A number says little without its name.
        wildcards = (f"{name} {value}" if value.isdigit() else value for name, value in names)
        self._running[job["jobid"]] = Step(job["rule_name"], " ".join(wildcards), list(job["log"]))

    def _finish(self, job: int) -> None:
        self._done += 1
        self._failed.discard(job)  # a retry went well
        if not (step := self._running.pop(job, None)):
            return  # --quiet hid its beginning
        self._time_left.finish(step.rule, step.seconds)
        left = self._left() if self._done < self._total else ""
        width = len(str(self._total))
        number = f"[{self._done:>{width}}/{self._total}]"
        self._screen.write(f"{number} {step.line()}{left}".rstrip())
        for path in step.logs:
            said = filter(lambda line: line.startswith(WARNING), last_lines(path, None))
            for warning in dict.fromkeys(said):  # each attempt of a restarted job may say it
                self._screen.write(f"    {warning}")

    def _left(self) -> str:
        if self._failed:
            return ""
        running = [(step.rule, step.seconds) for step in self._running.values()]
        seconds = self._time_left.guess(time.monotonic() - self._start, running)
        if seconds is None:
            return ""
        return f"   about {words(10 * math.ceil(seconds / 10))} left"

    def _fail(self, record: logging.LogRecord) -> None:
        job = vars(record)
        self._failed.add(job["jobid"])
        step = self._running.pop(job["jobid"], None)
        after = f" after {words(step.seconds)}" if step else ""
        wildcards = f" {step.wildcards}" if step and step.wildcards else ""
        lines = [f"\n{job['rule_name']}{wildcards} failed{after}."]
        if job["rule_msg"]:
            lines.append(str(job["rule_msg"]))
        for path in job["log"]:
            if step and step.has_not_written(path):
                lines.append(f"{path} is of an earlier run: the step did not begin.")
            elif said := last_lines(path, None):
                starts = [n for n, line in enumerate(said) if line.startswith(ERROR)]
                shown = said[starts[-1] :] if starts else said[-LAST_LINES:]
                lines += [f"    {line.removeprefix(ERROR)}" for line in shown]
                lines.append(f"More in {path}")
            else:
                lines.append(f"{path} is empty.")
        if not job["log"] and job["shellcmd"]:
            lines.append(f"    {job['shellcmd']}")
        self._screen.write("\n".join([*lines, ""]))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep the thread of the records and the one that redraws apart."""
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def _redraw(self) -> None:
        """Draw the running steps every second until the run is over."""
        while not self._over.wait(1):
            with self._alone():
                self._draw()

    def _draw(self) -> None:
        self._screen.draw([self._live_line(step) for step in self._running.values()])

    def _live_line(self, step: Step) -> str:
        indent = " " * (len(str(self._total)) * 2 + 4)
        said = [line for path in step.logs[:1] for line in last_lines(path, 1)]
        name = f"{step.rule} {step.wildcards}".strip()
        return ": ".join([f"{indent}{name}, {words(step.seconds)}", *said])

    @property
    def writes_to_stream(self) -> bool:
        """Whether Snakemake's own lines are left out: yes."""
        return True

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        """Whether it filters for itself: no, so that `--quiet` counts."""
        return False

    @property
    def has_formatter(self) -> bool:
        """Whether it words Snakemake's other messages: no."""
        return False

    @property
    def needs_rulegraph(self) -> bool:
        return False


def routine(record: logging.LogRecord) -> bool:
    """Whether a message says nothing new to who sees the steps."""
    text = str(record.msg)
    if getattr(record, "exception", None) == "RuleException" and "CalledProcessError" in text:
        return True  # the failed step says more
    return text.startswith(ROUTINE) or (not text.strip())


def written(path: str) -> int | None:
    """When a file was changed last, in nanoseconds; None if it is not there."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def last_lines(path: str, number: int | None) -> list[str]:
    """The last lines of a file that say something; none where it cannot be read.

    Args:
        number: of lines; None takes all that stand near the end.
    """
    try:
        with open(path, "rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 2**16))
            text = log.read().decode(errors="replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-(number or 0) :]
