"""Order candidates by the distance of their identifiers to the target's (Eq. 18)."""

import numpy as np

from lohrec.common import artefacts, job
from lohrec.data import examples as windows
from lohrec.recommender import priors

SEED = 0


def main(sequences: str, examples: str, ids: str, prior: str, report: str, settings: dict) -> None:
    """Write the prior, int32 (train examples, keep), and a report on it.

    Args:
        sequences: sequences.npy.
        examples: examples.parquet.
        ids: semantic_ids.npy.
        prior: distance.npy; the target first, -1 where there are fewer candidates.
        report: distance.json.
        settings: section `candidates`.
    """
    targets = windows.load(sequences, examples, "train").target
    found = priors.by_distance(targets, np.load(ids), SEED)[:, : settings["keep"]]
    artefacts.write_npy(prior, found)
    artefacts.write_json(report, priors.summary(found))


if __name__ == "__main__":
    job.run(main, snakemake)
