"""From items' titles and descriptions to one vector an item."""

import numpy as np
import pyarrow.parquet as pq

from lohrec.common import artefacts, devices, job
from lohrec.data.examples import read_examples
from lohrec.identifiers import interaction_vectors, lsa, text_encoder, text_vectors
from lohrec.identifiers.text_encoder import TextEncoder


def main(
    catalogue: str,
    embeddings: str,
    encoder: str,
    text: dict,
    code: dict,
    cuda: dict,
    threads: int,
    sequences: str | None = None,
    examples: str | None = None,
) -> None:
    """Write the vectors, and what made them.

    Args:
        catalogue: items.parquet.
        embeddings: .npy to write, float32 (items, dimensions).
        encoder: text.safetensors to write.
        text: what the section `text` says of its method.
        code: hashes of the program.
        cuda: GPUs to use; latent semantic analysis uses none.
        threads: of the CPU.
        sequences, examples: of the interactions, where items without text get the vectors of their
            neighbours.
    """
    items = pq.read_table(catalogue, columns=["title", "description"]).to_pydict()
    titles, descriptions = (
        text_vectors.without_long(items[kind], text["characters"], kind)
        for kind in ("title", "description")
    )
    if text["method"] == "lsa":
        vectors, fitted = lsa.fit(
            titles, descriptions, text["dimensions"], text["max_features"], text["seed"]
        )
    else:
        device = devices.acquire(cuda, threads)
        text_vectors.states(titles, descriptions, embeddings, text, code, device)
        vectors, fitted = np.load(embeddings, mmap_mode="r"), None
    text_vectors.check_differ(vectors)
    texts = zip(titles, descriptions, strict=True)
    without = np.array([not any(text.strip() for text in both) for both in texts])
    neighbours = bool(sequences and examples and without.any())
    scaled = neighbours or text["method"] == "minilm"
    # Items without text have the mean of the others, so it is that of all.
    mean = vectors.mean(0) if fitted is None else text_vectors.unit(vectors.mean(0)[None])[0]
    if scaled:
        own = text_vectors.unit(np.asarray(vectors))
        if sequences and examples and neighbours:
            train = read_examples(sequences, examples, "train")
            own = interaction_vectors.from_neighbours(own, without, train)
        artefacts.write_npy(embeddings, own)
    elif fitted is not None:
        artefacts.write_npy(embeddings, vectors)
    # Last, so that both are there only when both are final.
    text_encoder.save(encoder, TextEncoder(text, mean, fitted, scaled))


if __name__ == "__main__":
    job.run(main, snakemake)
