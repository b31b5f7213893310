"""What the workflow survives: `make faults` tries each kind of fault, and a load, and prints it."""

import os
import sys
import time
from pathlib import Path

import pytest

# {test: (fault, what comes of it)}
KINDS = {
    "disturbed_runs.py::test_kills": (
        "20 kills of a run at seeded moments",
        "started again, the same bytes",
    ),
    "disturbed_runs.py::test_sigterm": ("SIGTERM", "started again, the same bytes"),
    "disturbed_runs.py::test_killed_before_it_is_recorded": (
        "a job killed between its last file and Snakemake's record",
        "goes on from its end, the same bytes",
    ),
    "disturbed_runs.py::test_a_damaged_checkpoint": (
        "a checkpoint with a flipped bit",
        "not gone on from, the same bytes",
    ),
    "disturbed_runs.py::test_a_full_disk": (
        "a disk that fills during a run",
        "an error that names it; with room, the same bytes",
    ),
    "disturbed_runs.py::test_an_output_that_is_cut_off": (
        "an output that is cut off",
        "an error that names it; deleted, the same bytes",
    ),
    "common/test_artefacts.py::test_every_writer_names_a_full_disk_and_leaves_what_was_there": (
        "a full disk, each kind of file",
        "an error that names it, the old file stays",
    ),
    "common/test_artefacts.py::test_an_array_that_does_not_fit_is_refused": (
        "an array larger than the disk",
        "refused before the first row, with both sizes",
    ),
    "common/test_artefacts.py::test_a_read_only_folder_is_named": (
        "a read-only folder",
        "an error that names it, the old file stays",
    ),
    "common/test_artefacts.py::test_the_next_writer_removes_what_killed_ones_left": (
        "a writer killed within a file",
        "half a file is never seen, and is removed",
    ),
    "common/test_partial_array.py::test_two_processes_do_not_fill_one_array": (
        "two writers of one array",
        "the second one is refused",
    ),
    "common/test_partial_array.py::test_the_lock_of_a_killed_process_is_taken_over": (
        "a writer killed, and started again",
        "goes on where it was",
    ),
    "common/test_partial_array.py::test_a_damaged_array_is_begun_anew": (
        "half an array that is cut off",
        "begun anew",
    ),
    "common/test_training.py::test_retries_shorter_than_an_epoch_come_to_the_same_end": (
        "a time limit shorter than an epoch",
        "retries come to the same end",
    ),
    "common/test_training.py::test_a_damaged_checkpoint_is_not_gone_on_from": (
        "a checkpoint with any byte changed, or cut off",
        "not gone on from",
    ),
}
# No fault, but more than one asks for at once.
LOAD = {
    "many_datasets.py::test_eight_datasets_at_once": (
        "eight datasets at once on two cores",
        "all results within 16 GiB",
    ),
}


class Table:
    """The table of what pytest reports: the cases of a test are one row."""

    def __init__(self) -> None:
        self.outcome: dict[str, list[str]] = {}
        self.seconds: dict[str, float] = {}
        self.measured: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.split("[")[0].removeprefix("tests/")
        self.seconds[name] = self.seconds.get(name, 0.0) + report.duration
        if report.when == "call" or report.outcome != "passed":
            self.outcome.setdefault(name, []).append(report.outcome)
        for _, value in report.user_properties:
            self.measured[name] = f": {value}"

    def text(self) -> str:
        lines = ["| fault | outcome | tries | seconds |", "| --- | --- | --- | --- |"]
        for name, (fault, outcome) in (KINDS | LOAD).items():
            every = self.outcome.get(name, ["not run"])
            bad = [one for one in every if one != "passed"]
            said = f"**{bad[0]}**" if bad else outcome + self.measured.get(name, "")
            lines.append(f"| {fault} | {said} | {len(every)} | {self.seconds.get(name, 0.0):.0f} |")
        return "\n".join(lines)


if __name__ == "__main__":
    table, began = Table(), time.monotonic()
    here = Path(__file__).resolve().parent
    os.chdir(here.parent)
    chosen = [f"tests/{name}" for name in KINDS | LOAD]
    status = pytest.main([*chosen, *sys.argv[1:]], plugins=[table])
    print(table.text())
    print(f"{len(KINDS)} kinds in {time.monotonic() - began:.0f} s.")
    sys.exit(status)
