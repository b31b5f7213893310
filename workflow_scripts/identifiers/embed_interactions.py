"""From the train split's interactions to one vector an item, for items without text."""

from lohrec.common import artefacts, job
from lohrec.data.examples import read_examples
from lohrec.identifiers import interaction_vectors


def main(sequences: str, examples: str, vectors: str) -> None:
    """Write the vectors of sequences.npy and examples.parquet as .npy."""
    train = read_examples(sequences, examples, "train")
    artefacts.write_npy(vectors, interaction_vectors.item_vectors(train))


if __name__ == "__main__":
    job.run(main, snakemake)
