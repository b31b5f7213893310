"""Jobs that Snakemake plans and another machine runs: the same results, within a time."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT
from digest_workflow import planned
from forked_snakemake import snakemake

from lohrec.elsewhere.jobs import Job, read, write
from lohrec.elsewhere.results import Results

ROWS = ["lcrec", "distill", "dwr"]
TARGETS = [f"results/instruments_gpu/{row}/metrics.json" for row in ROWS]
# What the other machine does not have.
ABSENT = ("snakemake", "jsonschema", "polars", "orjson", "umap", "matplotlib")


def run(folder: Path, out: Path, minutes: float, path: Path | None = None) -> tuple[int, str]:
    """Exit status and what was printed of the command that runs a folder's jobs."""
    command = [sys.executable, "-m", "lohrec.elsewhere.run", str(folder), "--out", str(out)]
    scripts = [str(ROOT / "workflow_scripts"), *([str(path)] if path else [])]
    done = subprocess.run(
        [*command, "--minutes", str(minutes)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(scripts)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def workflow(tmp_path_factory) -> Path:
    """The row of one GPU with a made-up shop, the smallest of models and no GPU."""
    folder = tmp_path_factory.mktemp("workflow")
    for name in ("Snakefile", "rules", "config", "profiles", "envs", "workflow_scripts"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    draw = random.Random(0)
    users = {str(user): draw.sample(range(40), draw.randint(5, 9)) for user in range(60)}
    index = {
        str(item): [f"<{'abcd'[d]}_{item // 4**d % 4}>" for d in range(4)] for item in range(40)
    }
    for kind, values in (("inter", users), ("index", index)):
        (folder / f"Instruments.{kind}.json").write_text(json.dumps(values))
    row = yaml.safe_load((ROOT / "config/config.yaml").read_text())["datasets"]["instruments_gpu"]
    few = {"epochs": 2, "batch_size": 64, "bf16": False, "evaluations": 1, "dev_users": 20}
    row["settings"]["teacher"] |= {
        "network": {"hidden": 32, "layers": 1, "heads": 2, "intermediate": 32},
        "training": few,
    }
    row["settings"] |= {
        "networks": {"t5": {"d_model": 32, "d_ff": 32, "heads": 2, "layers": 1}},
        "candidates": {"bf16": False},
        "training": few | {"warm_epochs": 1},
    }
    none = {"count": 0, "memory_gb": 0}
    steps = ("train_teacher", "generate_candidates", "score_codewords", "fit", "recommend")
    row["settings"]["cuda"] = dict.fromkeys([*steps, "recommend_teacher"], none)
    row["settings"]["threads"] = {"train_teacher": 1, "fit": 1}
    overlay = {"raw_dir": str(folder), "datasets": {"instruments_gpu": row}}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(overlay))
    return folder


def test_the_whole_command_has_the_results_of_snakemake(workflow: Path, tmp_path: Path) -> None:
    here = ["--cores", "2", "--configfile", "tiny.yaml"]
    made = ["data/interaction_vectors.npy", "ids/semantic_ids.npy"]
    status, said = snakemake(workflow, *here, "--", *(f"results/instruments_gpu/{m}" for m in made))
    assert status == 0, said
    away, out, absent = tmp_path / "away", tmp_path / "out", tmp_path / "absent"
    folder = ["--executor", "lohrec", "--lohrec-folder", str(away)]
    status, said = snakemake(workflow, *here, *folder, "--", *TARGETS)
    assert status == 0 and "18 jobs and 6 files" in said, said
    assert not (workflow / "results/instruments_gpu/dwr").exists()

    absent.mkdir()
    for name in ABSENT:
        (absent / f"{name}.py").write_text("raise ImportError('not on this machine')")
    status, said = run(away, out, 60, absent)
    assert status == 0, said
    table = (out / "table.md").read_text()
    rows = [line.split(" | ") for line in table.split("\n\n")[0].splitlines()]
    figures = [f"{m}@{k}" for m in ("recall", "ndcg") for k in (5, 10)]
    assert rows[0][:9] == ["| row", *(f"{s} {f}" for s in ("test", "dev") for f in figures)]
    assert sorted(row[0][2:] for row in rows[2:]) == sorted(f"instruments_gpu/{r}" for r in ROWS)
    column = rows[0].index("test recall@10")
    for row in rows[2:]:
        name = row[0].rpartition("/")[2]
        assert row[rows[0].index("device")].startswith("CPU") and row[-2].endswith("M")
        inside = f"results/instruments_gpu/{name}/metrics.json"
        with tarfile.open(out / f"instruments_gpu_{name}.tar.gz") as archive:
            metrics = json.load(archive.extractfile(inside))
            names = archive.getnames()
        assert row[column] == f"{metrics['test']['recall@10']['mean']:.4f}"
        assert f"results/instruments_gpu/{name}/seed_0/model/recommender.json" in names
        assert f"logs/instruments_gpu/fit/{name}_seed_0.log" in names
    assert len(list(out.iterdir())) == 5  # the table, seconds, and an archive a row

    compared = ("lcrec", "dwr")  # made of all kinds of jobs
    targets = [f"results/instruments_gpu/{row}/metrics.json" for row in compared]
    status, said = snakemake(workflow, *here, "--", *targets)
    assert status == 0, said
    results = workflow / "results/instruments_gpu"
    same = [f"{row}/metrics.json" for row in compared]
    for name in ("model/recommender.json", "recommendations.parquet", "per_user.parquet"):
        same += [f"{row}/seed_0/{name}" for row in compared]
    same += ["teacher/beams.npy", "teacher/probabilities.npy", "priors/teacher.npy"]
    for name in same:
        theirs = away / "results/instruments_gpu" / name
        assert theirs.read_bytes() == (results / name).read_bytes(), name
    assert np.load(results / "teacher/beams.npy").any()

    # A recommender that was fitted here takes its weights along, which no rule declares.
    folder[-1] = str(tmp_path / "again")
    distill = "results/instruments_gpu/distill"
    status, said = snakemake(workflow, *here, *folder, "--", f"{distill}/metrics.json")
    assert status == 0 and re.search("^3 jobs and", said, re.MULTILINE), said
    status, said = run(tmp_path / "again", tmp_path / "out again", 60, absent)
    assert status == 0, said
    again, first = (f / distill / "metrics.json" for f in (tmp_path / "again", away))
    assert again.read_bytes() == first.read_bytes()


def test_jobs_come_target_by_target(fresh: Path, tmp_path: Path) -> None:
    targets = [f"results/demo/{row}/metrics.json" for row in ("smooth", "dwr", "tiger")]
    folder = ["--cores", "8", "--executor", "lohrec", "--lohrec-folder", str(tmp_path / "away")]
    status, said = snakemake(fresh, *folder, "--", *targets)
    assert status == 0, said
    jobs = read(tmp_path / "away")
    counts = planned(fresh, *targets)
    assert {rule: [j.rule for j in jobs].count(rule) for rule in counts} == counts
    fitted = [job.wildcards["variant"] for job in jobs if job.rule == "fit"]
    assert fitted == ["smooth", "distill", "dwr", "tiger"]
    made: set[str] = set()
    for job in jobs:
        assert all(path in made or (tmp_path / "away" / path).exists() for path in job.reads)
        made |= set(job.writes)

    status, said = snakemake(fresh, *folder, "--", *targets)
    assert status and "is not empty; name a new folder" in said


def test_what_stays_on_a_machine_is_refused(fresh: Path, tmp_path: Path) -> None:
    for kind in ("inter", "index"):
        (tmp_path / f"Instruments.{kind}.json").write_text("{}")
    folder = ["--cores", "8", "--executor", "lohrec", "--lohrec-folder", str(tmp_path / "away")]
    given = [*folder, "--config", f"raw_dir={tmp_path}", "--", TARGETS[0]]
    status, said = snakemake(fresh, *given)
    assert status and "Instruments.inter.json stays on this machine" in said
    assert not (tmp_path / "away").exists()


SCRIPT = """import time
from pathlib import Path

since = time.time()
log = Path(snakemake.log[0])
log.parent.mkdir(exist_ok=True)
log.write_text("began")
time.sleep(snakemake.params["seconds"])
until = time.time() + 60
while (waits := snakemake.params.get("waits")) and not Path(waits).exists():
    assert time.time() < until, f"{waits} does not come"
    time.sleep(0.01)
if snakemake.params.get("broken"):
    Path(snakemake.writes[0]).write_text("half of it")
    log.write_text("it is broken")
    raise SystemExit(1)
for path in snakemake.writes:
    Path(path).write_text(f"{since} {time.time()}")
"""


def job(folder: Path, name: str, reads: str = "", gpus: int = 0, **params) -> Job:
    """A job that writes when it began and ended."""
    (folder / "script.py").write_text(SCRIPT)
    return Job(
        rule=name,
        script=str(folder / "script.py"),
        input={},
        output={"made": f"{name}.txt"},
        params={"seconds": 0.0} | params,
        wildcards={},
        threads=1,
        gpus=gpus,
        log=f"logs/{name}.log",
        reads=[f"{one}.txt" for one in reads.split()],
        writes=[f"{name}.txt"],
    )


def times(folder: Path, name: str) -> tuple[float, float]:
    """When a job began and ended."""
    began, ended = (folder / f"{name}.txt").read_text().split()
    return float(began), float(ended)


def test_jobs_of_the_gpu_take_turns_and_others_run_beside_them(tmp_path: Path) -> None:
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one core")
    # The first ends when one beside it is done, which so has to run meanwhile.
    first = [job(tmp_path, "one", gpus=1, waits="beside.txt"), job(tmp_path, "two", gpus=1)]
    last = [job(tmp_path, "after", "one"), job(tmp_path, "beside")]
    write(tmp_path, [*first, *last])
    status, said = run(tmp_path, tmp_path / "out", 1)
    assert status == 0, said
    assert times(tmp_path, "two")[0] >= times(tmp_path, "one")[1]
    assert times(tmp_path, "after")[0] >= times(tmp_path, "one")[1]

    before = (tmp_path / "one.txt").read_text()
    (tmp_path / "two.txt").unlink()
    assert run(tmp_path, tmp_path / "out", 1)[0] == 0
    assert (tmp_path / "one.txt").read_text() == before and (tmp_path / "two.txt").exists()


def test_a_run_stops_in_time_and_leaves_what_it_has(tmp_path: Path) -> None:
    write(tmp_path, [job(tmp_path, "long", seconds=60.0), job(tmp_path, "next", "long")])
    since = time.monotonic()
    status, said = run(tmp_path, tmp_path / "out", 0.03)
    assert status == 1 and time.monotonic() - since < 20
    assert "long: stopped" in said and "Not run: next" in said
    with tarfile.open(tmp_path / "out/rest.tar.gz") as archive:
        assert archive.extractfile("logs/long.log").read() == b"began"


def test_what_a_failed_job_does_not_hold_up_runs(tmp_path: Path) -> None:
    failing = job(tmp_path, "bad", broken=True)
    write(tmp_path, [failing, job(tmp_path, "next", "bad"), job(tmp_path, "other")])
    status, said = run(tmp_path, tmp_path / "out", 1)
    assert status == 1 and (tmp_path / "other.txt").exists()
    assert "bad failed" in said and "it is broken" in said and "Not run: next" in said
    assert not (tmp_path / "bad.txt").exists()


def test_a_run_that_goes_on_keeps_what_jobs_took(tmp_path: Path) -> None:
    measured = job(tmp_path, "row")
    metrics = {split: {"recall@10": {"mean": 0.5}} for split in ("test", "dev")}
    (tmp_path / "row.txt").write_text(json.dumps(metrics))
    measured = replace(measured, output={"metrics": "row.txt"}, wildcards={"variant": "tiger"})
    Results(tmp_path, tmp_path / "out").add(measured, 123.0)
    first = (tmp_path / "out/table.md").read_text()
    Results(tmp_path, tmp_path / "out").add(measured)
    assert "| 123 |" in first and (tmp_path / "out/table.md").read_text() == first


def test_rows_with_other_cutoffs_stand_under_their_own_headings(tmp_path: Path) -> None:
    found = Results(tmp_path, tmp_path / "out")
    for name, cutoffs in (("one", (5, 10)), ("other", (10, 20))):
        measured = job(tmp_path, name)
        figures = {f"recall@{cutoff}": {"mean": cutoff / 100} for cutoff in cutoffs}
        (tmp_path / f"{name}.txt").write_text(json.dumps({"test": figures, "dev": figures}))
        output = {"metrics": f"{name}.txt"}
        found.add(replace(measured, output=output, wildcards={"dataset": name}), 1.0)
    table = (tmp_path / "out/table.md").read_text().split("\n\n")[0].splitlines()
    header, _, one, other = ([cell.strip() for cell in row.split("|")[1:-1]] for row in table)
    shown = [dict(zip(header, row, strict=True)) for row in (one, other)]
    assert [row["test recall@5"] for row in shown] == ["0.0500", ""]
    assert [row["test recall@10"] for row in shown] == ["0.1000", "0.1000"]
    assert [row["dev recall@20"] for row in shown] == ["", "0.2000"]


def test_large_files_stay_behind(tmp_path: Path) -> None:
    made = job(tmp_path, "big")
    write(tmp_path / "run", [made])
    (tmp_path / "run/weights").write_bytes(bytes(12_000_001))
    assert run(tmp_path / "run", tmp_path / "out", 1)[0] == 0
    with tarfile.open(tmp_path / "out/rest.tar.gz") as archive:
        assert "big.txt" in archive.getnames() and "weights" not in archive.getnames()


def test_a_folder_without_jobs_is_refused(tmp_path: Path) -> None:
    status, said = run(tmp_path, tmp_path / "out", 1)
    assert status and "write it where Snakemake is, by --executor lohrec" in said
