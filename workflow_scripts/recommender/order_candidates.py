"""Order candidates for every train example, by the prior that a row names (Eq. 15, Appendix B)."""

import numpy as np

from lohrec.common import artefacts, job
from lohrec.data.examples import read_examples
from lohrec.identifiers import store
from lohrec.recommender import beam_items, priors


def main(
    sequences: str,
    examples: str,
    ids: str,
    candidates: str,
    report: str,
    prior: str,
    settings: dict,
    beams: str | None = None,
) -> None:
    """Write the candidates, int32 (train examples, keep), and a report on them.

    Args:
        sequences: sequences.npy.
        examples: examples.parquet.
        ids: semantic_ids.npy.
        candidates: .npy to write; the target first, -1 where there are fewer.
        report: JSON to write; where beams are read, what these hold is part of it.
        prior: a name in `priors.PRIORS`.
        settings: `keep`, candidates an example.
        beams: beams.npy of the teacher, for the prior that corrects them.
    """
    train, semantic = read_examples(sequences, examples, "train"), store.load_ids(ids)
    raw = np.load(beams, mmap_mode="r") if beams else None
    ordered = priors.PRIORS[prior](train, semantic, settings["keep"], raw)
    artefacts.write_npy(candidates, ordered)
    figures: dict = priors.summary(ordered)
    if raw is not None:
        figures["beams"] = beam_items.quality(raw, train.target, semantic)
    print(figures)
    artefacts.write_json(report, figures)


if __name__ == "__main__":
    job.run(main, snakemake)
