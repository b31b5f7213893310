"""From published identifiers to those of the items at hand; they may collide."""

import pyarrow.parquet as pq

from lohrec.common import artefacts, job
from lohrec.data.sources import lcrec
from lohrec.identifiers import quality as id_quality


def main(published: str, catalogue: str, ids: str, index: str, quality: str) -> None:
    """Write the identifiers and how good they are.

    Args:
        published: LC-Rec's index.json.
        catalogue: items.parquet, whose column `asin` holds the names of the index.
        ids: semantic_ids.npy to write, int16 (items, 4).
        index: index.json to write, of the items at hand only.
        quality: quality.json to write.
    """
    names = pq.read_table(catalogue, columns=["asin"])["asin"].to_pylist()
    assigned = lcrec.read_index(published, names)
    report = {
        "source": "imported",
        "steps": {"final": id_quality.identifier_quality(assigned, lcrec.CODES)},
    }
    print(report)
    artefacts.write_npy(ids, assigned)
    lcrec.write_index(index, assigned, names)
    artefacts.write_json(quality, report)


if __name__ == "__main__":
    job.run(main, snakemake)
