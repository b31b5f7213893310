"""What the workflow survives: `make faults` tries each kind of fault, and a cluster.

It prints a table of them, and fails where one fails.
"""

import os
import sys
import time
from pathlib import Path

import pytest

MOST = 600  # seconds that all may take on two free cores; others take longer
# Files of tests side by side, for most runs have one job at a time, and the longest first.
SIDE_BY_SIDE = ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]
# {test: (fault, what comes of it)}
KINDS = {
    "killed_runs.py::test_kills": (
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
# What befalls one run of the demonstration on SLURM.
CLUSTER = {
    "slurm_runs.py::test_a_step_that_could_never_start_is_refused_before_the_first_job": (
        "SLURM: a step that could never start",
        "refused before the first job, with the reason",
    ),
    "slurm_runs.py::test_without_accounts_squeue_tells_how_jobs_end": (
        "SLURM: no accounts",
        "squeue tells how jobs end",
    ),
    "slurm_runs.py::test_a_starved_step_is_tried_again_with_more": (
        "SLURM: a step with too little memory",
        "tried again with more",
    ),
    "slurm_runs.py::test_two_trainings_run_side_by_side_and_a_third_waits_for_a_gpu": (
        "SLURM: three trainings and two GPUs",
        "two side by side, the third waits",
    ),
    "slurm_runs.py::test_steps_of_the_cpu_hold_no_gpu": (
        "SLURM: steps of the CPU beside them",
        "hold no GPU",
    ),
    "slurm_runs.py::test_a_preempted_training_goes_on_from_its_checkpoint": (
        "SLURM: a preempted training",
        "goes on from its checkpoint",
    ),
    "slurm_runs.py::test_jobs_of_a_killed_run_are_named_and_not_sent_twice": (
        "SLURM: a run killed, and started again",
        "its jobs are named, none is sent twice",
    ),
    "slurm_runs.py::test_a_cancelled_step_is_named_and_tried_again": (
        "SLURM: a job that somebody cancels",
        "named, and tried again",
    ),
    "slurm_runs.py::test_the_figures_of_a_variant_are_one_job": (
        "SLURM: many small steps",
        "the figures of a variant are one job",
    ),
    "slurm_runs.py::test_nothing_is_left_to_do_here_and_all_but_times_is_the_same": (
        "SLURM: a local run after all this",
        "has nothing to do, the same bytes",
    ),
}


class Table:
    """The table of what pytest reports: the cases of a test are one row."""

    def __init__(self) -> None:
        self.outcome: dict[str, list[str]] = {}
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.split("[")[0].removeprefix("tests/")
        self.seconds[name] = self.seconds.get(name, 0.0) + report.duration
        if report.when == "call" or report.outcome != "passed":
            why = f": {report.longrepr[2].removeprefix('Skipped: ')}" if report.skipped else ""
            self.outcome.setdefault(name, []).append(report.outcome + why)

    def text(self) -> str:
        lines = ["| what happens | outcome | tries | seconds |", "| --- | --- | --- | --- |"]
        for name, (fault, outcome) in (KINDS | CLUSTER).items():
            every = self.outcome.get(name, [])
            bad = [one for one in every or ["not run"] if one != "passed"]
            said = f"**{bad[0]}**" if bad else outcome
            lines.append(f"| {fault} | {said} | {len(every)} | {self.seconds.get(name, 0.0):.0f} |")
        return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Try all, print what came of it, and return the exit status."""
    table, began = Table(), time.monotonic()
    chosen = [f"tests/{name}" for name in KINDS | CLUSTER]
    status = int(pytest.main([*chosen, *SIDE_BY_SIDE, *arguments], plugins=[table]))
    seconds = time.monotonic() - began
    print(table.text())
    print(f"{len(KINDS)} kinds of faults, and {len(CLUSTER)} of a cluster, in {seconds:.0f} s.")
    if seconds > MOST:
        print(f"That is too long for two free cores: {MOST} s. Was the machine busy?")
    return status


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parent.parent)
    sys.exit(main(sys.argv[1:]))
