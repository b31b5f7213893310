"""What a machine has that jobs need: raw files that the user put there, and GPUs."""

from collections.abc import Iterable
from math import inf
from pathlib import Path

from lohrec.common import artefacts
from lohrec.common.gpu_sizes import suffices
from lohrec.configuration.sections import Table, Values


def find_raw(folder: str | Path, name: str) -> str | None:
    """The path of the file `name` in `folder` or in a folder directly below it, if it is there.

    Raises:
        ValueError: it is there more than once, and not with the same content.
    """
    folder = Path(folder)
    places = [folder / name, *sorted(folder.glob(f"*/{name}"))]
    found = [place for place in places if place.exists()]
    _refuse_several(found)
    return str(found[0]) if found else None


def parts(path: str | Path) -> list[str]:
    """The files of a table: itself, or those of a folder whose names begin with neither . nor _.

    Raises:
        ValueError: the folder has none, or the same one in two forms.
    """
    path = Path(path)
    if not path.is_dir():
        return [str(path)]
    found = [file for file in sorted(path.iterdir()) if file.is_file() and file.name[0] not in "._"]
    if not found:
        raise ValueError(f"{path} has no files. Put the parts of the table there.")
    names: dict[str, Path] = {}
    for file in found:
        name = file.name.removesuffix(".gz").rpartition(".")[0] or file.name
        if name in names:
            raise ValueError(f"{names[name]} and {file} have one name. Keep one of them.")
        names[name] = file
    return [str(file) for file in found]


def contents(paths: Iterable[str], record: str | Path) -> dict[str, str]:
    """{file: SHA-256}, each computed once and again when the file's size or date is another.

    A replacement of the same size with an older date shows here.

    Args:
        record: a JSON file that keeps the digests; a damaged one is begun anew.
    """
    record = Path(record)
    known = _recorded(record)
    found, new = {}, {}
    for path in paths:
        state = Path(path).stat()
        key, seen = str(Path(path).resolve()), [state.st_size, state.st_mtime_ns]
        if known.get(key, {}).get("seen") != seen:
            new[key] = {"seen": seen, "sha256": artefacts.fingerprint(path)["sha256"]}
        found[str(path)] = str((known | new)[key]["sha256"])
    if new:
        artefacts.write_json(record, known | new)
    return found


def _recorded(record: Path) -> Values:
    try:
        found = artefacts.read_json(record)
    except (OSError, ValueError):
        return {}
    rows = found.items() if isinstance(found, dict) else ()
    return {k: row for k, row in rows if isinstance(row, dict) and {"seen", "sha256"} <= row.keys()}


def _refuse_several(found: list[Path]) -> None:
    if len(found) < 2:
        return
    folders = any(place.is_dir() for place in found)
    if folders or len({artefacts.fingerprint(file)["sha256"] for file in found}) > 1:
        raise ValueError(
            f"{' and '.join(map(str, found))} have one name and are not the same. Keep one, or "
            "name another folder: --config raw_dir=FOLDER."
        )


def lacking(
    needs: dict[tuple[str, str], Values],
    found: list[float],
    datasets: Table,
    resolved: Table,
) -> str | None:
    """Say what this machine lacks for the GPU jobs at hand; None if it lacks nothing.

    Args:
        needs: {(dataset, rule): {"count": GPUs, "memory_gb": memory of each}}.
        found: memory of each GPU there is, in GB; infinite where it is not told.
        datasets: rows of the configuration.
        resolved: the settings of every dataset.
    """
    if all(
        need["count"] <= sum(suffices(size, need["memory_gb"]) for size in found)
        for need in needs.values()
    ):
        return None
    first, *others = dict.fromkeys(dataset for dataset, _ in needs)
    row = datasets[first]
    wanted = ", ".join(
        f"{rule}: {need['count']} GPU(s) of {need['memory_gb']:g} GB"
        for (owner, rule), need in needs.items()
        if owner == first
    )
    also = f" So do {len(others)} more: {', '.join(others)}." if others else ""
    on_cpu = [
        name
        for name, values in resolved.items()
        if not any(need["count"] for need in values["cuda"].values())
    ]
    same = [
        name
        for name in on_cpu
        if datasets[name].get("category") == row.get("category")
        and datasets[name]["source"] == row["source"]
    ]
    sizes = ", ".join(f"{size:.0f} GB" if size < inf else "unknown" for size in found) or "none"
    return (
        f"The GPUs of this machine do not suffice (found: {sizes}).\n"
        f"{first} (preset {row['preset']}) needs CUDA: {wanted}.{also}\n"
        f"Without a GPU you can run: {', '.join(same or on_cpu)}\n"
        "On a cluster: snakemake --workflow-profile profiles/slurm ..."
    )
