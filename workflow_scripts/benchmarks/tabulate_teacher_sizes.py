"""GPU memory and time of pretrained teachers by size, computed from their shapes."""

from lohrec.benchmarks import teacher_sizes
from lohrec.common import artefacts, job


def main(table: str, settings: dict[str, dict]) -> None:
    """Write a Markdown table.

    Args:
        table: the table.
        settings: sections `teacher`, `adaptation` and `tasks` of the paper's preset.
    """
    head = ["teacher", "memory, LoRA (GB)", "memory, all weights (GB)", "training, LoRA (h)"]
    head += ["training, all weights (h)", "candidates (h)", "probabilities (h)", "text vectors (h)"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, shape in teacher_sizes.SHAPES.items():
        cells = [f"{value:.2g}" if value < 10 else f"{value:.0f}" for value in teacher_sizes.row(
            teacher_sizes.configuration(*shape),
            settings["teacher"],
            settings["adaptation"],
            settings["tasks"]["mixture"],
            teacher_sizes.TFLOPS * 1e12,
        )]  # fmt: skip
        lines.append("| " + " | ".join([name, *cells]) + " |")
    epochs = settings["teacher"]["training"]["epochs"]
    note = f"Games set, {epochs} epochs, {teacher_sizes.TFLOPS:g} TFLOP/s sustained; computed."
    artefacts.write_text(table, "\n".join([note, "", *lines]) + "\n")


if __name__ == "__main__":
    job.run(main, snakemake)
