"""What is asked of SLURM before the first job; its programs say what a real cluster said."""

from pathlib import Path

import pytest

from lohrec.configuration import cluster

NO_ACCOUNTS = "echo 'Slurm accounting storage is disabled' >&2; exit 1"
AGE = "echo 'MinJobAge               = {} sec'"
# As sbatch 22.05 answers: it takes what the partition's time will never allow.
SBATCH = """case "$*" in
  *"--mem 40000"*) echo 'allocation failure: Requested node configuration is not available' >&2
    exit 1;;
  *"-p nope"*) echo 'sbatch: error: invalid partition specified: nope' >&2
    echo 'allocation failure: Invalid partition name specified' >&2; exit 1;;
  *) echo 'sbatch: Job 1 to start at 2026-11-28T09:21:54 using 1 processors' >&2;;
esac"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put shell scripts into the place of SLURM's programs."""

    def replace(**bodies: str) -> None:
        for name, body in bodies.items():
            path = tmp_path / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    return replace


def test_with_accounts_the_command_stays_as_it_is(programs) -> None:
    programs(sacct="exit 0", scontrol=AGE.format(1))
    assert cluster.status_command("sacct", 40) == "sacct"
    assert cluster.status_command("squeue", 40) == "squeue"


def test_without_accounts_squeue_serves_where_jobs_are_remembered(programs) -> None:
    programs(sacct=NO_ACCOUNTS, scontrol=AGE.format(300))
    assert cluster.status_command("sacct", 40) == "squeue"
    # The executor itself would go back to sacct.
    with pytest.raises(ValueError, match="MinJobAge=450"):
        cluster.status_command("squeue", 150)


@pytest.mark.parametrize("scontrol", [AGE.format(239), "exit 1"])
def test_without_accounts_and_memory_nothing_starts(programs, scontrol: str) -> None:
    programs(sacct=NO_ACCOUNTS, scontrol=scontrol)
    with pytest.raises(ValueError, match="does not tell how its jobs end") as caught:
        cluster.status_command("sacct", 40)
    assert "Slurm accounting storage is disabled" in str(caught.value)


def test_jobs_of_an_earlier_run_of_this_folder_are_named(programs, tmp_path: Path) -> None:
    programs(
        squeue=f"""echo '13_[2-4]|{tmp_path}|rule_evaluate'
echo '123+0|/elsewhere|own'
echo '12|{tmp_path}|rule_fit_wildcards_demo_tiger_0'
echo '14|{tmp_path}|(null)'
echo '15|{tmp_path}/other|rule_fit_wildcards_demo_tiger_1'"""
    )
    with pytest.raises(ValueError, match=r"scancel 12 13_\[2-4\]$") as caught:
        cluster.refuse_left_behind(tmp_path)
    assert "  12  rule_fit_wildcards_demo_tiger_0\n" in str(caught.value)
    programs(squeue="true")
    cluster.refuse_left_behind(tmp_path)
    programs(squeue="echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(ValueError, match="Unable to contact"):
        cluster.refuse_left_behind(tmp_path)


def test_what_could_never_start_is_refused_with_the_reason(programs) -> None:
    programs(sbatch=SBATCH, sinfo="printf 'gpu*|1:00:00\nlong|2-00:00:00\nfree|infinite\n'")
    fine = ["-t 60 --mem 4000", "-p long -t 2880", "-p gpu,free -t 9999", "-p gpu,long -t 2880"]
    for request in fine:
        assert cluster.refusal(request) is None
    cluster.refused({request: ["fit"] for request in fine})
    requests = {
        "-t 60 --mem 40000": ["train_teacher", "train_teacher", "fit"],
        "-t 61 --mem 4000": ["embed_items"],
        "-p nope -t 1": ["recommend"],
        "-p long -t 2881": ["evaluate"],
        "-t 60 --mem 4000": ["ingest"],
    }
    with pytest.raises(ValueError, match="would never start some steps") as caught:
        cluster.refused(requests)
    said = str(caught.value)
    assert "  fit, train_teacher: allocation failure: Requested node configuration" in said
    assert "  embed_items: the partition ends jobs after 60 minutes\n    sbatch -t 61" in said
    assert "  recommend: allocation failure: Invalid partition name specified" in said
    assert "  evaluate: the partition ends jobs after 2880 minutes" in said
    assert "ingest" not in said


@pytest.mark.parametrize(
    ("limit", "minutes"),
    [("30:00", 30), ("1:00:00", 60), ("2-01:30:00", 2970), ("infinite", None), ("n/a", None)],
)
def test_a_time_limit_in_minutes(limit: str, minutes: int | None) -> None:
    assert cluster.minutes(limit) == minutes
