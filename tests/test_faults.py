"""The table of `make faults`: what was tried, what was not and why, and how long it took."""

import os
import subprocess

import faults
import pytest
import slurm_cluster


def reported(name: str, when: str, outcome: str, why: str = "") -> pytest.TestReport:
    said = ("slurm_runs.py", 1, f"Skipped: {why}") if why else None
    return pytest.TestReport(f"tests/{name}", ("", 0, ""), {}, outcome, said, when, duration=2.0)


def test_what_is_skipped_stands_in_the_table_with_its_reason() -> None:
    (good, (fault, end)), *_, (skipped, (case, _)) = (faults.KINDS | faults.CLUSTER).items()
    table = faults.Table()
    for when in ("setup", "call", "teardown"):
        table.pytest_runtest_logreport(reported(f"{good}[one]", when, "passed"))
    table.pytest_runtest_logreport(reported(skipped, "setup", "skipped", "no slurmd"))
    rows = table.text().splitlines()
    assert f"| {fault} | {end} | 1 | 6 |" in rows
    assert f"| {case} | **skipped: no slurmd** | 1 | 2 |" in rows
    assert len(rows) == 2 + len(faults.KINDS | faults.CLUSTER)
    assert sum("**not run**" in row for row in rows) == len(rows) - 4


def test_a_run_that_took_too_long_is_told_of(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(pytest, "main", lambda *_, **__: 0)
    assert faults.MOST == 600 and faults.main([]) == 0
    assert "too long" not in capsys.readouterr().out
    monkeypatch.setattr(faults, "MOST", 0)
    assert faults.main([]) == 0
    assert "That is too long for two free cores: 0 s" in capsys.readouterr().out


def test_a_cluster_is_cleared_away_when_its_tests_are_dead(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(slurm_cluster, "CONFIGURATION", tmp_path)
    folder, link = tmp_path / "cluster", tmp_path / "slurm.conf"
    folder.mkdir()
    link.symlink_to(folder / "slurm.conf")
    with subprocess.Popen(["true"]) as ended:
        pass
    for owner, stays in ((None, True), (os.getpid(), True), (ended.pid, False)):
        if owner:
            (folder / slurm_cluster.OWNER).write_text(str(owner))
        slurm_cluster._clear_away()
        assert link.is_symlink() == stays
