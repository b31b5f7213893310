"""From the train split's interactions to identifiers: clusters of items that go together."""

from typing import Any

from lohrec.common import artefacts, job
from lohrec.data.catalogue import Catalogue
from lohrec.data.examples import read_examples
from lohrec.identifiers import collaborative
from lohrec.identifiers.quality import identifier_quality


def main(
    sequences: str, examples: str, catalogue: str, ids: str, quality: str, settings: dict[str, Any]
) -> None:
    """Write the identifiers and how good they are.

    Args:
        sequences, examples, catalogue: sequences.npy, examples.parquet, items.parquet.
        ids: collaborative_ids.npy to write, int16 (items, levels).
        quality: .json to write.
        settings: the settings section `collaborative`.
    """
    train = read_examples(sequences, examples, "train")
    found = collaborative.identifiers(train, len(Catalogue.of(catalogue, train)), **settings)
    report = identifier_quality(found)
    print(report)
    artefacts.write_npy(ids, found)
    artefacts.write_json(quality, report)


if __name__ == "__main__":
    job.run(main, snakemake)
