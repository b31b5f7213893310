"""A run says how much disk it takes, and stops before its first job where there is less."""

import json
import shutil
from pathlib import Path

from digest_workflow import TARGET
from forked_snakemake import snakemake

from lohrec.common import unfinished

SMALL = {"train": 8039, "dev": 1371, "test": 1371, "items": 486}


def started(fresh: Path, folder: Path, factor: int, *arguments: str) -> tuple[int, str]:
    """A run where the data of the demonstration are known, so many times as large."""
    folder = Path(shutil.copytree(fresh, folder / f"run{factor}"))
    facts = folder / "results/demo/data/statistics.json"
    facts.parent.mkdir(parents=True)
    facts.write_text(json.dumps({name: factor * count for name, count in SMALL.items()}))
    return snakemake(folder, "--cores", "4", *arguments)


def test_what_a_run_takes_is_summed_and_said(fresh: Path, tmp_path: Path) -> None:
    status, said = started(fresh, tmp_path, 1, "results/demo/ids/semantic_ids.npy")
    assert status == 0, said
    assert "This run takes" in said and " MB of disk; " in said


def test_a_run_that_does_not_fit_stops_before_its_first_job(fresh: Path, tmp_path: Path) -> None:
    status, said = started(fresh, tmp_path, 10**7, TARGET)
    assert status and "The disk is full: results needs" in said and "Make room" in said
    assert "rule ingest:" not in said and not (tmp_path / "run10000000/logs").exists()


def test_data_that_are_not_read_yet_are_named(fresh: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(fresh, tmp_path / "run"))
    status, said = snakemake(folder, "--cores", "4", "results/demo/data/sequences.npy")
    assert status == 0, said
    assert "How much disk the run takes is known when the data are read: demo." in said


def test_files_that_are_there_and_what_jobs_have_kept_take_no_more(tmp_path: Path) -> None:
    output = tmp_path / "model/recommender.json"
    output.parent.mkdir()
    assert unfinished.size([output]) == 0
    output.write_bytes(bytes(100))
    unfinished.beside(output, "partial").write_bytes(bytes(50))
    unfinished.beside(output.parent, "checkpoint").write_bytes(bytes(7))
    assert unfinished.size([output]) == unfinished.size([output, output]) == 157
