"""Turn the teacher's raw beams into ordered candidates (Correct in Eq. 15)."""

import numpy as np

from lohrec.common import artefacts, job
from lohrec.data import examples as windows
from lohrec.recommender import priors


def main(
    beams: str, sequences: str, examples: str, ids: str, prior: str, report: str, settings: dict
) -> None:
    """Write the prior, int32 (train examples, keep), and a report on it.

    Args:
        beams: beams.npy.
        sequences: sequences.npy.
        examples: examples.parquet.
        ids: semantic_ids.npy.
        prior: llm.npy; the target first, -1 where there are fewer candidates.
        report: llm.json.
        settings: section `candidates`.

    Raises:
        ValueError: the beams are not those of the train examples.
    """
    targets = windows.load(sequences, examples, "train").target
    raw = np.load(beams, mmap_mode="r")
    if len(raw) != len(targets):
        raise ValueError(
            f"{beams} has {len(raw)} rows for {len(targets)} train examples; it comes from other "
            "data: delete it and generate the candidates again."
        )
    found = priors.correct(raw, targets, np.load(ids), settings["keep"])
    artefacts.write_npy(prior, found)
    artefacts.write_json(report, priors.summary(found))


if __name__ == "__main__":
    job.run(main, snakemake)
