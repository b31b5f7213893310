"""Jobs of the workflow as a file, and one of them run without Snakemake.

`python -m lohrec.elsewhere.jobs NUMBER` runs a job in a folder that `--executor lohrec` wrote.
"""

import json
import runpy
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

FILE = "jobs.json"
SCRIPTS = Path(__file__).resolve().parents[2]
Named = dict[str, str | list[str]]


@dataclass(frozen=True)
class Job:
    """What Snakemake would hand to a script; paths are those below the folder.

    Attributes:
        rule: its name.
        script: below `workflow_scripts`.
        input, output: {name: path or paths}.
        params: by name, as JSON has them.
        wildcards: by name.
        threads, gpus: what it takes of the machine.
        log: what it says is written there.
        reads, writes: all its files, those without a name too.
    """

    rule: str
    script: str
    input: Named
    output: Named
    params: dict[str, Any]
    wildcards: dict[str, str]
    threads: int
    gpus: int
    log: str
    reads: list[str]
    writes: list[str]

    @property
    def name(self) -> str:
        """Rule and wildcards."""
        return " ".join([self.rule, *self.wildcards.values()])


def write(folder: Path, jobs: list[Job]) -> None:
    """Write `jobs.json`, in the order of the list."""
    folder.mkdir(parents=True, exist_ok=True)
    values = [asdict(job) for job in jobs]
    put(folder / FILE, json.dumps(values, indent=1) + "\n")


def put(path: Path, text: str) -> None:
    """Write a text, whole or not at all, with Python's own library."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def read(folder: Path) -> list[Job]:
    """The jobs of a folder.

    Raises:
        FileNotFoundError: it holds none.
    """
    path = folder / FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no {path}: write it where Snakemake is, by --executor lohrec."
        )
    return [Job(**values) for values in json.loads(path.read_text(encoding="utf-8"))]


def perform(job: Job) -> None:
    """Run its script, as Snakemake does: with a global name `snakemake`."""
    given = SimpleNamespace(**asdict(job) | {"log": [job.log]})
    for path in job.writes:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    runpy.run_path(str(SCRIPTS / job.script), {"snakemake": given}, run_name="__main__")


if __name__ == "__main__":
    perform(read(Path())[int(sys.argv[1])])
