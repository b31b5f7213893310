"""From a source's raw files to interactions and items with text (Section 4.1)."""

from pathlib import Path
from typing import Any

from lohrec.common import job
from lohrec.configuration import registry
from lohrec.data.interactions import write


def main(
    source: str,
    inputs: dict[str, str | list[str]],
    outputs: dict[str, str],
    settings: dict[str, Any],
) -> None:
    """Read and write.

    Args:
        source: a module of data/sources.
        inputs: raw files by their kind; a list where a table has parts.
        outputs: the paths that `interactions.write` takes.
        settings: what the source's `read` takes beside the files.
    """
    paths = {
        kind: Path(path) if isinstance(path, str) else [Path(part) for part in path]
        for kind, path in inputs.items()
    }
    ingested = registry.load("source", source).read(paths, **settings)
    files = [
        file for path in paths.values() for file in (path if isinstance(path, list) else [path])
    ]
    write(ingested, files, **outputs)


if __name__ == "__main__":
    job.run(main, snakemake)
