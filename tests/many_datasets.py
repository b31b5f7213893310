"""Eight datasets at once on two cores: all results, and how much memory and time they take.

Not collected with the other tests, for it takes minutes: `make load` runs it.
"""

import subprocess
import time
from pathlib import Path

import psutil
import yaml
from digest_workflow import planned
from small_workflow import COMMAND, ENVIRONMENT, copied

DATASETS, GIB = 8, 2**30
MOST = 16 * GIB  # of memory


def several(folder: Path) -> list[str]:
    """Put rows of as many datasets beside the tiny one; the results to ask for."""
    path = folder / "tiny.yaml"
    overlay = yaml.safe_load(path.read_text())
    row = overlay["datasets"].pop("demo") | {"variants": ["tiger"]}
    for number in range(DATASETS):
        sources = {"simulated": row["settings"]["sources"]["simulated"] | {"seed": number}}
        settings = row["settings"] | {"sources": sources}
        overlay["datasets"][f"shop_{number}"] = row | {"settings": settings}
    path.write_text(yaml.safe_dump(overlay))
    return [f"results/{name}/tiger/metrics.json" for name in overlay["datasets"]]


def memory(process: psutil.Process) -> int:
    """Bytes of a process and all that it has started, shared ones as often as they are shared."""
    whole = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            whole += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return whole


def test_eight_datasets_at_once(tmp_path: Path) -> None:
    targets = several(copied(tmp_path))
    jobs = sum(planned(tmp_path, "--configfile", "tiny.yaml", "--", *targets).values())
    began, peak = time.monotonic(), 0
    with open(tmp_path / "said.txt", "w") as said:
        streams = {"stdout": said, "stderr": subprocess.STDOUT}
        run = subprocess.Popen([*COMMAND, "--", *targets], cwd=tmp_path, env=ENVIRONMENT, **streams)
        whole = psutil.Process(run.pid)
        while run.poll() is None:
            peak = max(peak, memory(whole))
            time.sleep(0.2)
    assert run.returncode == 0, (tmp_path / "said.txt").read_text()
    assert all((tmp_path / target).exists() for target in targets)
    seconds = time.monotonic() - began
    held = f"{jobs} jobs in {seconds:.0f} s, at most {peak / GIB:.1f} GiB of memory"
    print(held)
    assert peak < MOST, held
