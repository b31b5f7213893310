"""Snakemake, run by a process that has imported it: a start takes a third of the time.

Tests start it more than a hundred times. Each run has a process of its own, which a server that has
done nothing but import forks, with its own folder, environment and output.
"""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["snakemake.cli", "snakemake.report.html_reporter"])


def snakemake(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Exit status of a run in a folder, and what it printed, both streams together.

    Jobs see the variable PYTHONPATH, and Snakemake itself does not: it is imported already.
    """
    env = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    with NamedTemporaryFile("r", encoding="utf-8") as said:
        run = SERVER.Process(target=_run, args=(folder, arguments, env, said.name))
        run.start()
        run.join()
        return run.exitcode, said.read()


def started_anew(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """The same of the command itself."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def _run(folder: Path, arguments: tuple[str, ...], env: dict[str, str], said: str) -> None:
    file = os.open(said, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["snakemake", *arguments]
    from snakemake.cli import main

    main(list(arguments))
