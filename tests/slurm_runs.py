"""The demonstration on a SLURM cluster of one machine, through what befalls jobs on a cluster.

Not collected with the other tests, for it takes minutes, and root: `make faults` runs it.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import slurm_cluster
import yaml
from conftest import ROOT
from disturbed_runs import contents, same
from small_workflow import copied

# What `make demo` makes, and the figures of its main row.
TARGETS = ["results/demo/comparison.md", "results/demo/dwr/metrics.json"]
STUDY = "results/demo/studies/tiger.md"
# Snakemake that looks at jobs every other second; else it waits ten seconds longer each time that
# none has ended.
EAGER = """
from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

RemoteExecutor.next_seconds_between_status_checks = property(lambda _: 2, lambda *_: None)
main()
"""
# Minds no lock of a killed run. The trainings take the pretended GPUs and run on the CPU. The first
# try to split has less memory than Python alone.
SLURM = ["--workflow-profile", "profiles/slurm", "--nolock"]
STARVED = "split_sequences:mem_mb=60 * 50 ** (attempt - 1)"
PATIENCE = 1800  # seconds that a wait may take
LIVING = ("PENDING", "RUNNING", "SUSPENDED", "COMPLETING")


@dataclass
class Job:
    """A job as SLURM remembers it."""

    number: str
    made: str
    state: str
    reason: str
    megabytes: int
    gpus: int


def jobs(made: str = "") -> list[Job]:
    """Those whose comment begins so, in the order in which they were sent."""
    found = []
    for line in slurm_cluster.ask("scontrol", "show", "jobs", "--oneliner").splitlines():
        values = dict(re.findall(r"(\S+?)=(\S*)", line))
        if values.get("Comment", "").startswith(made) and "JobId" in values:
            memory = re.fullmatch(r"([\d.]+)([MG])", values["MinMemoryNode"])
            found.append(
                Job(
                    values["JobId"],
                    values["Comment"],
                    values["JobState"],
                    values["Reason"],
                    int(float(memory[1]) * {"M": 1, "G": 1024}[memory[2]]),
                    int(values.get("TresPerJob", "0").rpartition(":")[2]),
                )
            )
    return sorted(found, key=lambda job: int(job.number))


def wait(until: Callable[[], bool], controller: subprocess.Popen | None = None) -> None:
    """Until something is so, or the controller has ended."""
    begin = time.monotonic()
    while not until():
        said = "\n".join(map(str, jobs()))
        assert time.monotonic() - begin < PATIENCE, said
        assert controller is None or controller.poll() is None, said
        time.sleep(0.2)


def scontrol(*arguments: str) -> None:
    subprocess.run(["scontrol", *arguments], check=True)


def workflow(folder: Path) -> Path:
    """The demonstration with all its variants, on a tenth of its users."""
    folder.mkdir()
    path = copied(folder) / "tiny.yaml"
    overlay = yaml.safe_load(path.read_text())
    shipped = yaml.safe_load((ROOT / "config/config.yaml").read_text())["datasets"]["demo"]
    row = overlay["datasets"]["demo"]
    row["variants"] = shipped["variants"]
    # Long enough to be met while they run.
    row["settings"]["training"] |= {"epochs": 20, "evaluations": 10, "patience": 10}
    overlay["studies"]["tiger"]["trials"] = 100  # more than a day
    path.write_text(yaml.safe_dump(overlay))
    return folder


def command(folder: Path, *arguments: str, targets: list[str] = TARGETS) -> dict:
    """Snakemake in a folder, as subprocess takes it."""
    given = ["--configfile", "tiny.yaml", "--", *targets]
    # Without what is set for the tests themselves: only the folder's own library counts.
    environment = {n: v for n, v in os.environ.items() if n != "PYTHONPATH"}
    return {
        "args": [sys.executable, "-c", EAGER, *arguments, *given],
        "cwd": folder,
        "env": environment | {"OMP_NUM_THREADS": "1", "PYTHONPATH": "workflow_scripts"},
        "text": True,
    }


def run(folder: Path, *arguments: str, targets: list[str] = TARGETS) -> tuple[int, str]:
    """Exit status and what was said, both streams together."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(**command(folder, *arguments, targets=targets), **streams)
    return done.returncode, done.stdout


def on_cluster(*resources: str, gpus: int = 1) -> list[str]:
    return [*SLURM, "--set-resources", f"fit:gpu={gpus}", "train_teacher:gpu=1", *resources]


def living() -> list[Job]:
    """Trainings that have not ended."""
    return [job for job in jobs() if job.gpus and job.state in LIVING]


def variant(job: Job) -> str:
    return job.made.removeprefix("rule_fit_wildcards_demo_").removesuffix("_0")


def state(number: str) -> str:
    return next(job.state for job in jobs() if job.number == number)


@dataclass
class Story:
    """What was seen, in this order; each text is what Snakemake said."""

    local: Path
    far: Path
    refused: str
    after_refusal: list[Job]
    side_by_side: list[Job]
    first: str
    preempted: Job
    left_behind: str
    ends: list[str]
    cancelled: Job
    last: str


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Story:
    if lacking := slurm_cluster.lacking():
        pytest.skip(lacking)
    root = tmp_path_factory.mktemp("slurm")
    local, far = workflow(root / "local"), workflow(root / "far")
    with (
        open(root / "local.txt", "w") as here,
        subprocess.Popen(
            **command(local, "--cores", "1"), stdout=here, stderr=subprocess.STDOUT
        ) as alone,
        slurm_cluster.started(root / "cluster"),
    ):
        # Three GPUs, and more minutes than the partition has; a study asks for no more than these.
        never = on_cluster("split_sequences:runtime=1441", gpus=3)
        status, refused = run(far, *never, targets=[*TARGETS, STUDY])
        assert status, refused
        after_refusal = jobs()

        # Two trainings run, a third waits; then the controller dies.
        with open(root / "first.txt", "w") as first:
            streams = {"stdout": first, "stderr": subprocess.STDOUT}
            controller = subprocess.Popen(**command(far, *on_cluster(STARVED)), **streams)
            wanted = [("PENDING", "Resources"), ("RUNNING", "None"), ("RUNNING", "None")]
            wait(lambda: sorted((j.state, j.reason) for j in living()) == wanted, controller)
            side_by_side = living()
            (third,) = (job for job in side_by_side if job.state == "PENDING")
            preempted, other = sorted(
                (job for job in side_by_side if job != third),
                key=lambda job: not job.made.startswith("rule_fit"),
            )
            scontrol("hold", third.number)
            scontrol("suspend", other.number)  # it stands still
            # One is preempted after its first checkpoint.
            checkpoint = f"results/demo/{variant(preempted)}/seed_0/.model.checkpoint"
            wait((far / checkpoint).exists, controller)
            scontrol("requeue", preempted.number)
            controller.send_signal(signal.SIGKILL)
            controller.wait()
        status, left_behind = run(far, *on_cluster())
        assert status, left_behind
        slurm_cluster.ask("scancel", third.number)
        scontrol("resume", other.number)
        wait(lambda: not any(job.state in LIVING for job in jobs()))
        ends = [state(job.number) for job in (preempted, other, third)]

        # The third is sent again, somebody cancels it, and it is tried once more.
        with open(root / "last.txt", "w") as last:
            streams = {"stdout": last, "stderr": subprocess.STDOUT}
            controller = subprocess.Popen(**command(far, *on_cluster()), **streams)
            wait(lambda: any(j.state == "RUNNING" for j in jobs(third.made)), controller)
            (cancelled,) = (job for job in jobs(third.made) if job.state == "RUNNING")
            slurm_cluster.ask("scancel", cancelled.number)
            status = controller.wait(PATIENCE)
        ended = alone.wait(PATIENCE)
        said = [(root / f"{name}.txt").read_text() for name in ("first", "last", "local")]
        assert (status, ended) == (0, 0), said[1:]
        yield Story(
            local, far, refused, after_refusal, side_by_side, said[0], preempted, left_behind, ends,
            cancelled, said[1],
        )  # fmt: skip


def test_a_step_that_could_never_start_is_refused_before_the_first_job(story: Story) -> None:
    assert "This cluster would never start some steps" in story.refused
    assert re.search(r"  fit: .*Requested node configuration is not available", story.refused)
    assert "split_sequences: the partition ends jobs after 1440 minutes" in story.refused
    assert "search_ranges:" not in story.refused
    _, planned = run(story.far, "-n", "--cores", "2", targets=[STUDY])
    assert "rule search_ranges:" in planned  # it was among what was asked for
    assert story.after_refusal == []


def test_without_accounts_squeue_tells_how_jobs_end(story: Story) -> None:
    assert (
        "Slurm accounting storage is disabled"
        in subprocess.run(["sacct"], capture_output=True, text=True).stderr
    )
    for said in (story.first, story.last):
        assert "SLURM keeps no accounts here: squeue tells how jobs end." in said


def test_two_trainings_run_side_by_side_and_a_third_waits_for_a_gpu(story: Story) -> None:
    assert [job.gpus for job in story.side_by_side] == [1, 1, 1]
    waiting = [job for job in story.side_by_side if job.state == "PENDING"]
    assert len(waiting) == 1 and waiting[0].reason == "Resources"


def test_steps_of_the_cpu_hold_no_gpu(story: Story) -> None:
    holders = {job.made.split("_wildcards")[0] for job in jobs() if job.gpus}
    assert holders == {"rule_fit", "rule_train_teacher"}


def test_a_starved_step_is_tried_again_with_more(story: Story) -> None:
    first, second = jobs("rule_split_sequences")
    assert first.state == "FAILED" and second.state == "COMPLETED"
    assert second.megabytes == 50 * first.megabytes
    assert "exceeded memory limit" in story.first  # its own log is shown


def test_jobs_of_a_killed_run_are_named_and_not_sent_twice(story: Story) -> None:
    (numbers,) = re.findall(r"scancel ((?:\d+ ?)+)", story.left_behind)
    assert {job.number for job in story.side_by_side} <= set(numbers.split())
    assert story.ends == ["COMPLETED", "COMPLETED", "CANCELLED"]
    finished = [job.made for job in jobs() if job.state == "COMPLETED"]
    finished = [made for made in finished if "_wildcards_" in made]  # a group has none
    assert len(finished) == len(set(finished)) > 25


def test_a_preempted_training_goes_on_from_its_checkpoint(story: Story) -> None:
    log = (story.far / f"logs/demo/fit/{variant(story.preempted)}_seed_0.log").read_text()
    assert re.search(r"^resuming at step [\d,]+$", log, re.MULTILINE)


def test_a_cancelled_step_is_named_and_tried_again(story: Story) -> None:
    rule = "fit" if story.cancelled.made.startswith("rule_fit") else "train_teacher"
    assert re.search(rf"^{rule} demo.* failed after", story.last, re.MULTILINE)
    number = story.cancelled.number
    assert f"SLURM-job '{number}' failed, SLURM status is: 'CANCELLED'" in story.last
    assert state(jobs(story.cancelled.made)[-1].number) == "COMPLETED"


def test_the_figures_of_a_variant_are_one_job(story: Story) -> None:
    (job,) = (job for job in jobs() if job.made.endswith("_evaluate_summarise"))
    assert job.state == "COMPLETED" and not jobs("rule_evaluate") and not jobs("rule_summarise")


def test_nothing_is_left_to_do_here_and_all_but_times_is_the_same(story: Story) -> None:
    status, said = run(story.far, "-n", "--cores", "2")
    assert status == 0 and "Nothing to be done" in said, said
    assert len(contents(story.local)) > 80
    same(story.local, story.far)
