"""What a job keeps beside its outputs to go on from, until Snakemake has recorded these.

A job that removed it when its outputs are written would lose all, if it were killed before
Snakemake notes them: the next start deletes outputs that are not noted, and begins again. So a job
leaves it, and the workflow removes it at the end of a run, for the jobs that are done.
"""

from collections.abc import Iterable
from pathlib import Path

KINDS = ("checkpoint", "before.checkpoint", "partial", "partial.json", "partial.lock")


def beside(output: str | Path, kind: str) -> Path:
    """Where a job keeps what it goes on from, of one of `KINDS`.

    Args:
        output: a file of the job; or the folder of its files, where that is written as a whole.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is none of {KINDS}, so nobody would remove it.")
    output = Path(output)
    return output.with_name(f".{output.name}.{kind}")


def size(outputs: Iterable[str | Path]) -> int:
    """Bytes that these files take, and what the jobs that write them have kept."""
    places = {
        place
        for output in map(Path, outputs)
        for place in (output, *(beside(o, k) for o in (output, output.parent) for k in KINDS))
    }
    return sum(place.stat().st_size for place in places if place.is_file())


def remove(outputs: Iterable[str | Path]) -> None:
    """Remove what the jobs that wrote `outputs` have kept."""
    for output in map(Path, outputs):
        for one in (output, output.parent):
            for kind in KINDS:
                beside(one, kind).unlink(missing_ok=True)
