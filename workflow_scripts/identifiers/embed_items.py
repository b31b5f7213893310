"""From items' titles and descriptions to one vector an item."""

import numpy as np
import pyarrow.parquet as pq

from lohrec.common import artefacts, devices, job
from lohrec.identifiers import lsa, text_encoder, text_vectors
from lohrec.identifiers.text_encoder import TextEncoder


def main(
    catalogue: str,
    embeddings: str,
    encoder: str,
    text: dict,
    code: dict,
    cuda: dict,
    threads: int,
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
        artefacts.write_npy(embeddings, vectors)
    else:
        device = devices.acquire(cuda, threads)
        text_vectors.llama(titles, descriptions, embeddings, text, code, device)
        vectors, fitted = np.load(embeddings, mmap_mode="r"), None
    # Items without text have the mean of the others, so it is that of all.
    mean = vectors.mean(0) if fitted is None else text_vectors.unit(vectors.mean(0)[None])[0]
    text_encoder.save(encoder, TextEncoder(text, mean, fitted))


if __name__ == "__main__":
    job.run(main, snakemake)
