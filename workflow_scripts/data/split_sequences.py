"""From interactions to flat sequences and leave-one-out examples (Section 4.1)."""

from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lohrec.common import artefacts, job
from lohrec.data.sequences import leave_one_out


def main(interactions: str, sequences: str, examples: str, settings: dict[str, Any]) -> None:
    """Write the flat sequences and the examples, which are windows of them.

    Args:
        interactions: interactions.parquet, by user and time.
        sequences: sequences.npy to write, int32 (interactions,), items.
        examples: examples.parquet to write.
        settings: `history`, most items of a history.
    """
    table = pq.read_table(interactions)
    split = leave_one_out(table["user"].to_numpy(), settings["history"])
    print({row["values"]: row["counts"] for row in pc.value_counts(split["split"]).to_pylist()})
    artefacts.write_npy(sequences, table["item"].to_numpy().astype(np.int32))
    artefacts.write_parquet(examples, split)


if __name__ == "__main__":
    job.run(main, snakemake)
