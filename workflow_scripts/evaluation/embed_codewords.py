"""One vector an item from the codeword embeddings of the model that recommends."""

from pathlib import Path

import numpy as np

from lohrec.common import artefacts, job
from lohrec.recommender import item_embeddings


def main(model: str, ids: str, vectors: str, recommender: str) -> None:
    """Write the vectors, float32 (items, d).

    Args:
        model: model.safetensors, its configuration beside it.
        ids: semantic_ids.npy.
        vectors: .npy to write.
        recommender: the variant's; a teacher's model is a LLaMA, the others' is a T5.
    """
    kind = item_embeddings.of_teacher if recommender == "teacher" else item_embeddings.of_generator
    artefacts.write_npy(vectors, kind(Path(model).parent, np.load(ids).astype(np.int64)))


if __name__ == "__main__":
    job.run(main, snakemake)
