"""Download one raw file of reviews or metadata."""

from lohrec.common import artefacts, job
from lohrec.data import download


def main(raw: str, record: str, source: dict) -> None:
    """Download `source["url"]` to `raw`, whose SHA-256 must be `source["sha256"]` if that is set.

    `record` receives the URL, bytes, SHA-256 and time of retrieval as JSON.
    """
    facts = download.fetch(source["url"], raw, source.get("sha256"))
    artefacts.write_json(record, facts)
    print(f"{raw}: {facts['bytes']:,} bytes, SHA-256 {facts['sha256']}")


if __name__ == "__main__":
    job.run(main, snakemake)
