"""Order candidates by how often users had them together with the target (Appendix B.2)."""

import numpy as np

from lohrec.common import artefacts, job
from lohrec.data import examples as windows
from lohrec.recommender import priors


def main(sequences: str, examples: str, ids: str, prior: str, report: str, settings: dict) -> None:
    """Write the prior, int32 (train examples, keep), and a report on it.

    Args:
        sequences: sequences.npy.
        examples: examples.parquet.
        ids: semantic_ids.npy.
        prior: cooccurrence.npy; the target first, -1 where there are fewer candidates.
        report: cooccurrence.json.
        settings: section `candidates`.
    """
    train = windows.load(sequences, examples, "train")
    pairs = priors.cooccurrences(train, items=len(np.load(ids)))
    found = priors.by_cooccurrence(train.target, pairs, settings["keep"])
    artefacts.write_npy(prior, found)
    artefacts.write_json(report, priors.summary(found))


if __name__ == "__main__":
    job.run(main, snakemake)
