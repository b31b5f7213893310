"""What jobs that ran elsewhere leave: a table that grows row by row, an archive for each row."""

import json
import re
import tarfile
from pathlib import Path

from lohrec.elsewhere.jobs import Job, put

# Bytes of a file that still goes into an archive: weights and the teacher's arrays stay behind.
LARGEST = 12_000_000
SECONDS = "seconds.json"
FIGURES = ("recall", "ndcg")


class Results:
    """The table and the archives.

    A row belongs to a recommender: it is there as soon as its metrics.json is. Its archive has
    what the jobs left that this recommender needed and no earlier one, but for large files.

    Args:
        folder: where the jobs run.
        out: where `table.md` and the archives go.
    """

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder, self.out = folder, out
        self.done: dict[str, tuple[Job, float]] = {}  # by its first output
        self.told: set[str] = set()
        self.rows: list[dict[str, str]] = []
        out.mkdir(parents=True, exist_ok=True)
        # What earlier runs took, by the first output of a job.
        self.took: dict[str, float] = {}
        if (out / SECONDS).exists():
            self.took = json.loads((out / SECONDS).read_text(encoding="utf-8"))

    def add(self, job: Job, seconds: float | None = None) -> None:
        """Take note of a finished job; after the last one of a recommender write its row.

        Args:
            seconds: that it took; None if an earlier run has done it.
        """
        if seconds is not None:
            self.took[job.writes[0]] = seconds
            put(self.out / SECONDS, json.dumps(self.took))
        self.done[job.writes[0]] = job, self.took.get(job.writes[0], 0.0)
        if "metrics" not in job.output:
            return
        behind = [one for one in self._behind(job) if one.writes[0] not in self.told]
        self.told.update(one.writes[0] for one in behind)
        took = sum(self.done[one.writes[0]][1] for one in behind)
        metrics = json.loads((self.folder / job.writes[0]).read_text(encoding="utf-8"))
        said = self._said(behind)
        figures = {
            f"{split} {name}": f"{value['mean']:.4f}"
            for split in ("test", "dev")
            for metric in FIGURES
            for name, value in metrics[split].items()
            if name.startswith(f"{metric}@")
        }
        row = {"row": "/".join(job.wildcards.values())} | figures
        self.rows.append(row | said | {"seconds": f"{took:.0f}"})
        self._write_table()
        self._archive("_".join(job.wildcards.values()), behind)

    def leave_rest(self, jobs: list[Job]) -> None:
        """An archive of what belongs to no row: of jobs that failed, or were stopped."""
        rest = [job for job in jobs if job.writes[0] not in self.told]
        if rest:
            self._archive("rest", rest)

    def _behind(self, job: Job) -> list[Job]:
        """A job and all finished ones whose files it is made of, these first."""
        makers = {path: one for one, _ in self.done.values() for path in one.writes}
        found: dict[str, Job] = {}

        def visit(one: Job) -> None:
            if one.writes[0] not in found:
                for path in one.reads:
                    if path in makers:
                        visit(makers[path])
                found[one.writes[0]] = one

        visit(job)
        return list(found.values())

    def _said(self, jobs: list[Job]) -> dict[str, str]:
        """Device and parameters of the last network that jobs have trained, by their logs."""
        said = {"device": "", "parameters": ""}
        for job in jobs:
            log = self.folder / job.log
            text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
            size = re.search(r"^([\d.]+ M) parameters", text, re.MULTILINE)
            device = re.search(r"^device: (.+)", text, re.MULTILINE)
            if size:
                said = {"device": device[1] if device else "", "parameters": size[1]}
        return said

    def _write_table(self) -> None:
        """table.md: the rows, and the time of every job.

        Datasets may have other cutoffs: a row has no figure at those of another one.
        """
        last = ("device", "parameters", "seconds")
        every = dict.fromkeys(name for row in self.rows for name in row if name not in last)
        header = [*every, *last]
        rows = [[row.get(name, "") for name in header] for row in self.rows]
        lines = [header, ["---"] * len(header), *rows]
        text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        print(text, flush=True)
        text += "\n| job | seconds |\n| --- | --- |\n"
        text += "".join(f"| {job.name} | {took:.1f} |\n" for job, took in self.done.values())
        put(self.out / "table.md", text)

    def _archive(self, name: str, jobs: list[Job]) -> None:
        """Whatever lies beside the outputs of jobs, and their logs."""
        folders = {(self.folder / path).parent for job in jobs for path in job.writes}
        files = {path for folder in folders if folder.exists() for path in folder.iterdir()}
        files |= {self.folder / job.log for job in jobs}
        beside = self.out / f".{name}.tar.gz.new"
        with tarfile.open(beside, "w:gz") as archive:
            for path in sorted(files):
                small = path.is_file() and path.stat().st_size <= LARGEST
                if small and not path.name.startswith("."):
                    archive.add(path, path.relative_to(self.folder).as_posix())
        beside.replace(self.out / f"{name}.tar.gz")
