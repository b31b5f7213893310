"""One vector an item from the codeword embeddings of the model that recommends."""

from lohrec.common import artefacts, job
from lohrec.recommender.recommender import item_vectors


def main(model: str, vectors: str) -> None:
    """Write the vectors, float32 (items, d).

    Args:
        model: recommender.json of a recommender that embeds items.
        vectors: .npy to write.
    """
    artefacts.write_npy(vectors, item_vectors(model))


if __name__ == "__main__":
    job.run(main, snakemake)
