"""Make sure that the pretrained teacher is at hand and fits, before anything is computed for it."""

from lohrec.common import artefacts, job, language_models
from lohrec.teacher import memory_plan


def main(settings: dict[str, dict], gpus: dict, report: str) -> None:
    """Fetch the model's files, read their headers, and compare the memory plan with the GPU.

    Args:
        settings: sections `teacher` and `adaptation`.
        gpus: those of the teacher's training.
        report: JSON to write.

    Raises:
        ValueError, FileNotFoundError: the model cannot be used, or is not to be had.
        RuntimeError: its training does not fit into the memory that the settings name.
    """
    adaptation = settings["adaptation"]
    checkpoint = language_models.fetch(adaptation["model"], adaptation["revision"], "adaptation")
    memory_plan.check_shape(checkpoint["config"], adaptation)
    planned = memory_plan.of_checkpoint(checkpoint["config"], checkpoint["parameters"], settings)
    print(f"{adaptation['model']}: {checkpoint['parameters'] / 1e9:.2f} G parameters")
    print(memory_plan.text(planned))
    if gpus["count"]:
        memory_plan.enough(planned, gpus["memory_gb"], memory_plan.SMALLER["pretrained"])
    artefacts.write_json(
        report,
        {
            "model": adaptation["model"],
            "revision": adaptation["revision"],
            "model_type": checkpoint["config"].model_type,
            "parameters": checkpoint["parameters"],
            "memory_plan_gb": {name: size / 1e9 for name, size in planned.items()},
        },
    )


if __name__ == "__main__":
    job.run(main, snakemake)
