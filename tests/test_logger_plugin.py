"""What a person sees of a run with `--logger lohrec`, and what the plugin's parts promise."""

import io
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from digest_workflow import planned
from forked_snakemake import snakemake

from snakemake_logger_plugin_lohrec.handler import Step, last_lines
from snakemake_logger_plugin_lohrec.screen import Screen
from snakemake_logger_plugin_lohrec.time_left import COSTS, TimeLeft, words

SNAKEFILE = """
rule all:
    input:
        expand("results/{dataset}_{seed}.txt", dataset=["demo"], seed=range(3)),

rule train:
    output:
        "results/{dataset}_{seed}.txt",
    log:
        "logs/{dataset}_{seed}.log",
    script:
        "train.py"
"""
SCRIPT = """import time
from lohrec.common import job_log

with job_log.redirect(snakemake.log[0]):
    for epoch in job_log.progress(range(30), "epoch", unit="step"):
        time.sleep(float(snakemake.config.get("pause", 0.0)))
    if str(snakemake.config.get("broken")) == snakemake.wildcards.seed:
        raise ValueError("seed is broken")
    open(snakemake.output[0], "w").close()
"""


def command(folder: Path, *arguments: str) -> dict:
    if not (folder / "Snakefile").exists():
        (folder / "Snakefile").write_text(SNAKEFILE)
        (folder / "train.py").write_text(SCRIPT)
    given = ["--cores", "2", "--logger", "lohrec", *arguments]
    return {
        "args": [sys.executable, "-m", "snakemake", *given],
        "cwd": folder,
        "env": os.environ | {"PYTHONPATH": str(ROOT / "workflow_scripts"), "TERM": "xterm"},
    }


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit status and what was said, both streams together, into a pipe."""
    given = command(folder, *arguments)
    return snakemake(folder, *given["args"][3:], **given["env"])


def test_a_step_is_a_line_and_a_second_run_says_there_is_nothing_to_do(tmp_path: Path) -> None:
    status, said = run(tmp_path)
    assert status == 0, said
    first, *steps, log, last = said.splitlines()
    assert first == "4 steps to do. Each one's log is in logs/."
    for number, step in enumerate(steps, 1):
        assert step.startswith(f"[{number}/4] ")
    assert len(steps) == 4
    assert re.fullmatch(
        r"\[1/4\] train +demo seed \d +\d+ (s|min)   about \d+ (s|min) left", steps[0]
    )
    assert re.fullmatch(r"\[4/4\] all +0 s", steps[3])
    assert log.startswith("Complete log(s): ") and Path(log.split(": ")[1]).exists()
    assert re.fullmatch(r"4 of 4 steps done, in \d+ (s|min)\.", last)
    status, said = run(tmp_path)
    assert status == 0 and said.startswith("Nothing to be done") and said.count("\n") == 1


def test_a_failure_shows_the_end_of_its_log(tmp_path: Path) -> None:
    status, said = run(tmp_path, "--keep-going", "--config", "broken=1")
    assert status
    assert re.search(r"^train demo seed 1 failed after \d+ (s|min)\.$", said, re.MULTILINE)
    assert "    ValueError: seed is broken\n" in said and "\nMore in logs/demo_1.log\n" in said
    assert "Traceback" not in said and "CalledProcessError" not in said
    assert (tmp_path / "logs/demo_1.log").read_text().count("Traceback") == 1
    assert re.search(r"^2 of 4 steps done, 1 failed, in ", said, re.MULTILINE)


def test_a_log_that_an_earlier_run_has_left_is_not_that_of_the_step(tmp_path: Path) -> None:
    left, fresh = tmp_path / "left.log", tmp_path / "fresh.log"
    left.write_text("well done")
    step = Step("fit", "", [str(left), str(fresh)])
    assert step.has_not_written(str(left))
    fresh.write_text("no memory")
    assert not step.has_not_written(str(fresh))
    assert not step.has_not_written(str(tmp_path / "slurm.log"))  # of the cluster
    left.write_text("no memory")
    os.utime(left, ns=(0, 1))
    assert not step.has_not_written(str(left))


def test_on_a_terminal_running_steps_stand_below_with_their_progress(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    given = command(tmp_path, "--config", "pause=0.1")
    with subprocess.Popen(**given, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                said += os.read(ours, 4096)
            except OSError:  # the terminal is closed
                break
    os.close(ours)
    assert process.returncode == 0
    text = said.decode().replace("\r\n", "\n")
    assert re.search(r"^ +train demo seed \d, \d s: epoch: +\d+% \d+/30 ", text, re.MULTILINE)
    assert "\r" not in text  # no bar of a job's own
    first, *steps, _, _ = screen_after(text)
    assert first.startswith("4 steps") and len(steps) == 4
    assert all(step.startswith("[") for step in steps)


def screen_after(text: str) -> list[str]:
    """The lines that a terminal shows in the end."""
    lines: list[str] = []
    for part in re.split(r"(\x1b\[\d+F\x1b\[J|\n)", text):
        if match := re.match(r"\x1b\[(\d+)F", part):
            del lines[len(lines) - int(match[1]) :]
        elif part != "\n" and part:
            lines.append(part)
    return lines


def test_a_dry_run_is_snakemakes(tmp_path: Path) -> None:
    status, said = run(tmp_path, "-n")
    assert status == 0
    assert "Job stats:" in said and "This was a dry-run" in said and "rule train:" in said
    assert "steps to do" not in said


def test_quiet_hides_the_steps_and_no_error_of_the_workflow(tmp_path: Path) -> None:
    status, said = run(tmp_path, "--quiet", "all", "--touch")
    assert status == 0 and said == ""
    done = subprocess.run(
        **(given := command(tmp_path)) | {"args": [*given["args"], "--", "nowhere.txt"]},
        capture_output=True,
        text=True,
    )
    assert done.returncode and "No rule to produce nowhere.txt" in done.stderr


def test_every_cost_is_of_a_rule() -> None:
    rules = "\n".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    for name in COSTS:
        assert re.search(rf"^(use )?rule .*\b{name}\b", rules, re.MULTILINE), name


def test_the_guess_of_what_is_left() -> None:
    left = TimeLeft({"train_teacher": 2, "evaluate": 4})
    assert left.guess(1.0, []) is None
    left.finish("train_teacher", 80.0)  # twice its cost
    assert left.guess(80.0, []) == pytest.approx(80 + 4 * 2)
    assert left.guess(80.0, [("train_teacher", 80.0)]) == pytest.approx(4 * 2 / 2)  # two at once
    left.finish("evaluate", 1.0)
    assert left.guess(81.0, []) == pytest.approx(80 + 3)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (4830, "1 h 20 min")]
)
def test_durations_in_words(seconds: float, said: str) -> None:
    assert words(seconds) == said


def test_into_a_file_goes_no_live_line() -> None:
    stream = io.StringIO()
    screen = Screen(stream)
    screen.draw(["running"])
    screen.write("done")
    assert stream.getvalue() == "done\n"


def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\n" + b"x" * 100_000 + b"\n\ntwo \xff\n\n three\n")
    assert last_lines(str(log), 2) == ["two \N{REPLACEMENT CHARACTER}", " three"]
    assert last_lines(str(tmp_path / "none"), 2) == []


def test_the_demonstration_prints_a_line_a_step(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "workflow_scripts"))  # as an installation does
    folder = Path(shutil.copytree(fresh, tmp_path / "run"))
    target = "results/demo/tiger/metrics.json"
    jobs = sum(planned(folder, target).values())
    status, printed = snakemake(folder, "--cores", "4", "--logger", "lohrec", "--", target)
    assert status == 0, printed
    profile, plan, room, *steps, log, end = printed.splitlines()
    assert "profiles/default" in profile and plan.startswith(f"{jobs} steps")
    assert jobs > 8 and "disk" in room and room.endswith("demo.")
    numbers = [re.match(r"\[ *(\d+)/(\d+)\] \w+ ", line).groups() for line in steps]
    assert numbers == [(str(number), str(jobs)) for number in range(1, jobs + 1)]
    assert log.startswith("Complete log") and end.startswith(f"{jobs} of {jobs} steps done")
