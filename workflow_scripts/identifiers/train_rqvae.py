"""From items' vectors to an RQ-VAE."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from lohrec.common import artefacts, devices, job_log
from lohrec.identifiers import rqvae, rqvae_training


def main(
    embeddings: str,
    model: str,
    history: str,
    settings: dict,
    code: dict,
    cuda: dict,
    threads: int,
) -> None:
    """Train and write the model with the fewest collisions.

    Args:
        embeddings: .npy, float32 (items, dimensions).
        model: rqvae.safetensors to write.
        history: rqvae_history.parquet to write, one row an epoch.
        settings: the settings section `rqvae`.
        code: hashes of the program.
        cuda: GPUs to use.
        threads: of the CPU.
    """
    device = devices.acquire(cuda, threads)
    checkpoint = Path(f"{model}.checkpoint")
    with devices.exact_products():  # as the identifiers are computed, so that collisions agree
        trained, rows = rqvae_training.train(
            np.load(embeddings), settings, device, checkpoint, code
        )
    print(next(row for row in rows if row["kept"]))
    artefacts.write_parquet(history, pa.Table.from_pylist(rows))
    rqvae.save(model, trained)
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    with job_log.redirect(snakemake.log[0]):  # noqa: F821
        main(
            **snakemake.input,  # noqa: F821
            **snakemake.output,  # noqa: F821
            settings=snakemake.params.rqvae,  # noqa: F821
            code=snakemake.params.code,  # noqa: F821
            cuda=snakemake.params.cuda,  # noqa: F821
            threads=snakemake.threads,  # noqa: F821
        )
