"""From items' titles and descriptions to one vector an item."""

import pyarrow.parquet as pq

from lohrec.common import artefacts, devices, job
from lohrec.identifiers import text_vectors


def main(catalogue: str, embeddings: str, text: dict, code: dict, cuda: dict, threads: int) -> None:
    """Write the vectors.

    Args:
        catalogue: items.parquet.
        embeddings: .npy to write, float32 (items, dimensions).
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
        vectors = text_vectors.lsa(
            titles, descriptions, text["dimensions"], text["max_features"], text["seed"]
        )
        artefacts.write_npy(embeddings, vectors)
    else:
        device = devices.acquire(cuda, threads)
        text_vectors.llama(titles, descriptions, embeddings, text, code, device)


if __name__ == "__main__":
    job.run(main, snakemake)
