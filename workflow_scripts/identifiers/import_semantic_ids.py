"""From published identifiers to those of the items at hand; they may collide."""

import pyarrow.parquet as pq

from lohrec.common import artefacts, job, job_log
from lohrec.configuration import registry
from lohrec.identifiers import index as index_file
from lohrec.identifiers import quality as id_quality
from lohrec.identifiers.codewords import CODES

MANY = 0.5  # share of colliding items that is worth a word


def main(published: str, catalogue: str, source: str, ids: str, index: str, quality: str) -> None:
    """Write the identifiers and how good they are.

    Args:
        published: the source's file of the kind `index`.
        catalogue: items.parquet, whose column `asin` holds the names of the index.
        source: a module of data/sources that brings identifiers.
        ids: semantic_ids.npy to write, int16 (items, 4).
        index: index.json to write, of the items at hand only.
        quality: quality.json to write.
    """
    names = pq.read_table(catalogue, columns=["asin"])["asin"].to_pylist()
    assigned = registry.load("source", source).read_identifiers(published, names)
    report = {
        "source": "imported",
        "steps": {"final": id_quality.identifier_quality(assigned, CODES)},
    }
    print(report)
    final = report["steps"]["final"]
    if final["colliding_items"] > MANY * final["items"]:
        job_log.warn(
            f"{published}: {final['colliding_items']:,} of {final['items']:,} items share their "
            "identifier with another, and lists cannot tell these apart"
        )
    artefacts.write_npy(ids, assigned)
    index_file.write(index, assigned, names)
    artefacts.write_json(quality, report)


if __name__ == "__main__":
    job.run(main, snakemake)
