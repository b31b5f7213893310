"""The workflow on a SLURM cluster of one machine, through what befalls jobs on a cluster.

`make slurm-test` runs it: it takes minutes, root, and /etc/slurm.
"""

import os
import re
import shutil
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

if "LOHREC_SLURM" not in os.environ:
    pytest.skip("a cluster is started by `make slurm-test` alone", allow_module_level=True)

TARGET, DATA = "results/demo/sasrec/metrics.json", "results/demo/data/interactions.parquet"
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


def states(made: str) -> list[str]:
    return sorted(job.state for job in jobs(made))


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
    """The demonstration on a tenth of its users, SASRec alone, with three seeds."""
    folder.mkdir()
    for name in ("Snakefile", "rules", "config", "profiles", "envs", "workflow_scripts"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    row = yaml.safe_load((ROOT / "config/config.yaml").read_text())["datasets"]["demo"]
    row |= {"seeds": [0, 1, 2], "variants": ["sasrec"], "reference": "sasrec"}
    training = {"epochs": 150, "evaluations": 12, "patience": 12, "dev_users": 50, "batch_size": 64}
    row["settings"] = {
        "sources": {"simulated": {"users": 200, "items": 80}},
        "recommenders": {"sasrec": {"width": 32, "training": training}},
        "evaluation": {"resamples": 200, "diversity": "interactions"},
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump({"datasets": {"demo": row}}))
    return folder


def command(folder: Path, *arguments: str, target: str = TARGET) -> dict:
    """Snakemake in a folder, as subprocess takes it."""
    given = ["--configfile", "tiny.yaml", "--", target]
    # Without what is set for the tests themselves: only the folder's own library counts.
    environment = {n: v for n, v in os.environ.items() if n != "PYTHONPATH"}
    return {
        "args": [sys.executable, "-c", EAGER, *arguments, *given],
        "cwd": folder,
        "env": environment | {"OMP_NUM_THREADS": "1", "PYTHONPATH": "workflow_scripts"},
        "text": True,
    }


def run(folder: Path, *arguments: str, target: str = TARGET) -> tuple[int, str]:
    """Exit status and what was said, both streams together."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(**command(folder, *arguments, target=target), **streams)
    return done.returncode, done.stdout


def on_cluster(*resources: str, gpus: int = 1) -> list[str]:
    return [*SLURM, "--set-resources", f"fit:gpu={gpus}", *resources]


@dataclass
class Story:
    """What was seen, in this order; each text is what Snakemake said."""

    local: Path
    far: Path
    refused: str
    after_refusal: list[Job]
    side_by_side: list[Job]
    first: str
    preempted: str
    left_behind: str
    cancelled: str
    last: str


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Story:
    if lacking := slurm_cluster.lacking():
        pytest.skip(lacking)
    root = tmp_path_factory.mktemp("slurm")
    # Both begin with one reading of the data, to save the time of a second one.
    local, far = workflow(root / "local"), root / "far"
    status, said = run(local, "--cores", "2", target=DATA)
    assert status == 0, said
    shutil.copytree(local, far)
    status, said = run(local, "--cores", "2")
    assert status == 0, said
    with slurm_cluster.started(root / "cluster"):
        # Three GPUs, and more minutes than the partition has.
        status, refused = run(far, *on_cluster("split_sequences:runtime=1441", gpus=3))
        assert status, refused
        after_refusal = jobs()

        # Two trainings run, a third waits; then the controller dies.
        with open(root / "first.txt", "w") as first:
            streams = {"stdout": first, "stderr": subprocess.STDOUT}
            controller = subprocess.Popen(**command(far, *on_cluster(STARVED)), **streams)
            wanted = [("PENDING", "Resources"), ("RUNNING", "None"), ("RUNNING", "None")]
            wait(
                lambda: sorted((j.state, j.reason) for j in jobs("rule_fit")) == wanted, controller
            )
            side_by_side = jobs("rule_fit")
            (third,) = (job.number for job in side_by_side if job.state == "PENDING")
            scontrol("hold", third)
            # One is preempted after its first checkpoint, and the other stands still.
            checkpoints = far / "results/demo/sasrec"
            wait(lambda: any(checkpoints.glob("seed_*/.model.checkpoint")), controller)
            preempted = next(checkpoints.glob("seed_*/.model.checkpoint")).parent.name
            for job in side_by_side:
                if job.number != third:
                    again = job.made.endswith(preempted.removeprefix("seed"))
                    scontrol("requeue" if again else "suspend", job.number)
            controller.send_signal(signal.SIGKILL)
            controller.wait()
        status, left_behind = run(far, *on_cluster())
        assert status, left_behind
        slurm_cluster.ask("scancel", third)
        for job in jobs("rule_fit"):
            if job.state == "SUSPENDED":
                scontrol("resume", job.number)
        wait(lambda: states("rule_fit") == ["CANCELLED", "COMPLETED", "COMPLETED"])

        # The third is sent again, somebody cancels it, and it is tried once more.
        with open(root / "last.txt", "w") as last:
            streams = {"stdout": last, "stderr": subprocess.STDOUT}
            controller = subprocess.Popen(**command(far, *on_cluster()), **streams)
            wait(lambda: "RUNNING" in states("rule_fit"), controller)
            (cancelled,) = (job.number for job in jobs("rule_fit") if job.state == "RUNNING")
            slurm_cluster.ask("scancel", cancelled)
            status = controller.wait(PATIENCE)
        said = [(root / f"{name}.txt").read_text() for name in ("first", "last")]
        assert status == 0, said[1]
        yield Story(
            local, far, refused, after_refusal, side_by_side, said[0], preempted, left_behind,
            cancelled, said[1],
        )  # fmt: skip


def test_a_step_that_could_never_start_is_refused_before_the_first_job(story: Story) -> None:
    assert "This cluster would never start some steps" in story.refused
    assert re.search(r"  fit: .*Requested node configuration is not available", story.refused)
    assert "split_sequences: the partition ends jobs after 1440 minutes" in story.refused
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
    assert holders == {"rule_fit"}


def test_a_starved_step_is_tried_again_with_more(story: Story) -> None:
    first, second = jobs("rule_split_sequences")
    assert first.state == "FAILED" and second.state == "COMPLETED"
    assert second.megabytes == 50 * first.megabytes
    assert "exceeded memory limit" in story.first  # its own log is shown


def test_jobs_of_a_killed_run_are_named_and_not_sent_twice(story: Story) -> None:
    numbers = [job.number for job in story.side_by_side]
    assert f"scancel {' '.join(numbers)}" in story.left_behind
    finished = [job.made for job in jobs("rule_fit") if job.state == "COMPLETED"]
    assert len(finished) == len(set(finished)) == 3


def test_a_preempted_training_goes_on_from_its_checkpoint(story: Story) -> None:
    log = (story.far / f"logs/demo/fit/sasrec_{story.preempted}.log").read_text()
    assert re.search(r"^resuming at step [\d,]+$", log, re.MULTILINE)


def test_a_cancelled_step_is_named(story: Story) -> None:
    assert re.search(r"^fit demo sasrec seed \d failed after", story.last, re.MULTILINE)
    assert f"SLURM-job '{story.cancelled}' failed, SLURM status is: 'CANCELLED'" in story.last


def test_the_figures_of_a_variant_are_one_job(story: Story) -> None:
    (job,) = (job for job in jobs() if job.made.endswith("_evaluate_summarise"))
    assert job.state == "COMPLETED" and not jobs("rule_evaluate") and not jobs("rule_summarise")


def test_nothing_is_left_to_do_here_and_all_but_times_is_the_same(story: Story) -> None:
    status, said = run(story.far, "-n", "--cores", "2")
    assert status == 0 and "Nothing to be done" in said, said
    assert len(contents(story.local)) > 20
    same(story.local, story.far)
