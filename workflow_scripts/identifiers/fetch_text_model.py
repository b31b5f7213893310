"""Have the language model of the texts at hand before a job with a GPU needs it."""

from lohrec.common import artefacts, job, language_models


def main(text: dict, report: str) -> None:
    """Fetch the model's files and read their headers.

    Args:
        text: `model` and `revision` of the section `text`.
        report: JSON to write.

    Raises:
        ValueError, FileNotFoundError: the model cannot be used, or is not to be had.
    """
    found = language_models.fetch(text["model"], text["revision"], "text")
    print(f"{text['model']}: {found['parameters'] / 1e9:.2f} G parameters")
    made = {"model_type": found["config"].model_type, "parameters": found["parameters"]}
    artefacts.write_json(report, text | made)


if __name__ == "__main__":
    job.run(main, snakemake)
