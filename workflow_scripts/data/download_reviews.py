"""Download one raw file of reviews or metadata."""

from lohrec.common import artefacts, job_log
from lohrec.data import download


def main(file: str, record: str, source: dict) -> None:
    """Download `source["url"]` to `file`, whose SHA-256 must be `source["sha256"]` if that is set.

    `record` receives the URL, bytes, SHA-256 and time of retrieval as JSON.
    """
    facts = download.fetch(source["url"], file, source.get("sha256"))
    artefacts.write_json(record, facts)
    print(f"{file}: {facts['bytes']:,} bytes, SHA-256 {facts['sha256']}")


if __name__ == "__main__":
    with job_log.redirect(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.output.file,  # noqa: F821
            snakemake.output.record,  # noqa: F821
            snakemake.params.source,  # noqa: F821
        )
