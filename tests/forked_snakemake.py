"""Snakemake and its scripts, run by processes that have imported their libraries.

Tests start Snakemake and its jobs hundreds of times, and most of the time goes into imports. Here
each has a process of its own, forked by a server that has done nothing but import.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from multiprocessing import forkserver
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock
from typing import Any

SERVER = multiprocessing.get_context("forkserver")
# Of the project itself nothing: what runs is the library of the folder in which it runs.
IMPORTED = ["snakemake.cli", "snakemake.report.html_reporter", "torch", "torch._dynamo"]
IMPORTED += ["scipy.stats", "sklearn.decomposition", "transformers.models.llama.modeling_llama"]
SERVER.set_forkserver_preload(IMPORTED)
# Numba compiles UMAP anew in each report, which takes longer than what it compiles: so it is told
# to optimise nothing.
ALWAYS = {"OMP_NUM_THREADS": "1", "NUMBA_OPT": "0"}


def snakemake(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Exit status of a run in a folder, and what it printed, both streams together.

    The variable PYTHONPATH concerns its scripts, and not Snakemake, which is imported already.
    """
    env = os.environ | ALWAYS | environment
    with NamedTemporaryFile("r", encoding="utf-8") as said:
        run = SERVER.Process(target=_run, args=(folder, arguments, env, said.name))
        run.start()
        run.join()
        return run.exitcode, said.read()


def started_anew(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """The same of the command itself, which imports everything anew, and so do its scripts."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=folder,
        env=os.environ | ALWAYS | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def _run(folder: Path, arguments: tuple[str, ...], env: dict[str, str], said: str) -> None:
    _become(folder, env, said)
    sys.argv = ["snakemake", *arguments]
    # Scripts are forked by the same server: by itself this process would start one of its own,
    # which would import everything anew.
    forkserver._forkserver.ensure_running = lambda: None
    from snakemake.benchmark import benchmarked
    from snakemake.cli import main
    from snakemake.script import PythonScript

    lock = Lock()

    def execute(script: Any, path: str, edit: bool = False) -> None:
        """In place of the same method: fork the script, where a shell would start Python."""
        job = SERVER.Process(target=_script, args=(path, Path.cwd(), dict(os.environ), said))
        # Each start also looks which jobs of other threads have ended, and reads their status: two
        # that read one status at once would lose it.
        with lock:
            job.start()
        if script.bench_record is None:
            wait([job.sentinel])
        else:
            with benchmarked(job.pid, script.bench_record):
                wait([job.sentinel])
        with lock:
            job.join()
        if job.exitcode:
            raise subprocess.CalledProcessError(job.exitcode, path)

    PythonScript.execute_script = execute
    main(list(arguments))


def _script(path: str, folder: Path, env: dict[str, str], said: str) -> None:
    _become(folder, env, said)
    sys.argv = [path]
    try:
        runpy.run_path(path, run_name="__main__")
    except Exception:
        sys.excepthook(*sys.exc_info())  # as the interpreter does
        sys.exit(1)


def _become(folder: Path, env: dict[str, str], said: str) -> None:
    """Take a folder, an environment, and a file for what is printed."""
    file = os.open(said, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
