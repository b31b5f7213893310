"""From items' vectors to an RQ-VAE."""

import numpy as np
import pyarrow as pa

from lohrec.common import artefacts, devices, job, unfinished
from lohrec.identifiers import rqvae, rqvae_training


def main(
    embeddings: str,
    model: str,
    history: str,
    settings: dict[str, dict],
    code: dict,
    cuda: dict,
    threads: int,
) -> None:
    """Train and write the model with the fewest collisions.

    Args:
        embeddings: .npy, float32 (items, dimensions).
        model: rqvae.safetensors to write.
        history: rqvae_history.parquet to write, one row an epoch.
        settings: the groups network, training and objective of the section `rqvae`.
        code: hashes of the program.
        cuda: GPUs to use.
        threads: of the CPU.
    """
    device = devices.acquire(cuda, threads)
    checkpoint = unfinished.beside(model, "checkpoint")
    with devices.exact_products():  # as the identifiers are computed, so that collisions agree
        trained, rows = rqvae_training.train(
            np.load(embeddings), settings, device, checkpoint, code
        )
    print(next(row for row in rows if row["kept"]))
    artefacts.write_parquet(history, pa.Table.from_pylist(rows))
    rqvae.save(model, trained)


if __name__ == "__main__":
    job.run(main, snakemake)
