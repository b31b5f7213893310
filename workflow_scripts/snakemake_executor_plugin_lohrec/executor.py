"""Write the jobs that Snakemake would run, and the files that they start from, into a folder."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import AbstractExecutor, SubmittedJobInfo
from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

# Snakemake imports its plugins before it reads a Snakefile, so before that has said where the
# library is: only what runs may import it.
if TYPE_CHECKING:
    from lohrec.elsewhere.jobs import Job

# As in a dry run nothing is locked, run or recorded, and every job counts as done at once.
common_settings = CommonSettings(
    non_local_exec=False,
    dryrun_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_envvar_declarations_to_cmd=False,
    auto_deploy_default_storage_provider=False,
)


@dataclass
class ExecutorSettings(ExecutorSettingsBase):
    """What `--executor lohrec` wants to know."""

    folder: str = field(
        default="",
        metadata={
            "help": "Folder for the jobs and their files; empty, or not there yet.",
            "required": True,
        },
    )


class Executor(AbstractExecutor):
    """The executor that Snakemake makes for `--executor lohrec`."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.jobs: list[Any] = []

    def run_job_pre(self, job: Any) -> None:
        """Say nothing about it."""

    def run_job(self, job: Any) -> None:
        """Keep it, and count it as done."""
        self.jobs.append(job)
        self.report_job_submission(SubmittedJobInfo(job=job))
        self.report_job_success(SubmittedJobInfo(job=job))

    def shutdown(self) -> None:
        """Write the folder, when all jobs are known.

        Raises:
            WorkflowError: the folder holds something, or a job cannot leave this machine.
        """
        from lohrec.elsewhere.jobs import write

        folder = Path(self.workflow.executor_settings.folder)
        if folder.exists() and any(folder.iterdir()):
            raise WorkflowError(f"{folder} is not empty; name a new folder, or empty it first.")
        jobs = [packed(job) for job in self._in_order()]
        made = {path for job in jobs for path in job.writes}
        given = sorted({path for job in jobs for path in job.reads} - made)
        if far := [p for p in given if Path(p).is_absolute() or ".." in Path(p).parts]:
            raise WorkflowError(
                f"{', '.join(far)} stays on this machine: first make here what is made of it."
            )
        size = 0
        given = sorted({one for path in given for one in with_model(path)})
        for path in given:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / path)
            size += Path(path).stat().st_size
        write(folder, jobs)
        print(f"{len(jobs)} jobs and {len(given)} files of {size / 1e6:.1f} MB are in {folder}.")

    def _in_order(self) -> Iterator[Any]:
        """The jobs: target by target as they were named, each after those that it waits for."""
        needed = sorted(self.jobs, key=lambda job: str(job.output))
        of_file = {str(path): job for job in needed for path in job.output}
        named = [of_file[str(t)] for t in self.workflow.dag_settings.targets if str(t) in of_file]
        seen = set()

        def visit(job: Any) -> Iterator[Any]:
            if job not in seen:
                seen.add(job)
                for path in map(str, job.input):
                    if path in of_file:
                        yield from visit(of_file[path])
                if job.rule.script:  # a rule without one only gathers files
                    yield job

        for job in [*named, *needed]:
            yield from visit(job)

    def cancel(self) -> None:
        """Nothing runs."""

    def handle_job_success(self, job: Any) -> None:
        """Nothing was written."""

    def handle_job_error(self, job: Any) -> None:
        """Nothing fails."""

    @property
    def cores(self) -> int:
        """Those that Snakemake was given."""
        return self.workflow.resource_settings.cores


def with_model(path: str) -> list[str]:
    """A file; of a model's folder all that is in it, of which rules declare a part alone."""
    folder = Path(path).parent
    if folder.name != "model":
        return [path]
    return [str(one) for one in folder.rglob("[!.]*") if one.is_file()]


def packed(job: Any) -> "Job":
    """A job as plain values.

    Raises:
        WorkflowError: a parameter is none.
    """
    from lohrec.common.job import paths
    from lohrec.elsewhere.jobs import Job

    found = Job(
        rule=job.rule.name,
        script="/".join(Path(job.rule.script).parts[-2:]),
        input=paths(job.input),
        output=paths(job.output),
        params=dict(job.params.items()),
        wildcards={name: str(value) for name, value in job.wildcards.items()},
        threads=job.threads,
        gpus=job.resources.get("gpu", 0),
        log=str(job.log[0]),
        reads=[str(path) for path in job.input],
        writes=[str(path) for path in job.output],
    )
    if json.loads(json.dumps(found.params)) != found.params:
        raise WorkflowError(f"Rule {found.rule} has parameters that JSON does not hold.")
    return found
