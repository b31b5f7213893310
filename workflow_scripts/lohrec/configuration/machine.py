"""What a machine has that jobs need: raw files that the user put there, and GPUs."""

from pathlib import Path

from lohrec.configuration.sections import Table, Values


def find_raw(folder: str | Path, name: str) -> str | None:
    """The path of the file `name` in `folder` or in a folder directly below it, if it is there."""
    folder = Path(folder)
    places = [folder / name, *sorted(folder.glob(f"*/{name}"))]
    return next((str(place) for place in places if place.is_file()), None)


def lacking(
    needs: dict[tuple[str, str], Values],
    found: list[float],
    datasets: Table,
    resolved: Table,
) -> str | None:
    """Say what this machine lacks for the GPU jobs at hand; None if it lacks nothing.

    Args:
        needs: {(dataset, rule): {"count": GPUs, "memory_gb": memory of each}}.
        found: memory of each GPU there is, in GB.
        datasets: rows of the configuration.
        resolved: the settings of every dataset.
    """
    if all(
        need["count"] <= sum(size >= need["memory_gb"] for size in found) for need in needs.values()
    ):
        return None
    lines = []
    for dataset in dict.fromkeys(dataset for dataset, _ in needs):
        row = datasets[dataset]
        lines.append(f"{dataset} (preset {row['preset']}) needs CUDA:")
        lines += [
            f"  {rule}: {need['count']} GPU(s) of {need['memory_gb']:g} GB"
            for (owner, rule), need in needs.items()
            if owner == dataset
        ]
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
        lines.append(f"  Without a GPU you can run: {', '.join(same or on_cpu)}")
    sizes = ", ".join(f"{size:.0f} GB" for size in found) or "none"
    return (
        f"The GPUs of this machine do not suffice (found: {sizes}).\n"
        + "\n".join(lines)
        + "\nOn a cluster: snakemake --workflow-profile profiles/slurm ..."
    )
