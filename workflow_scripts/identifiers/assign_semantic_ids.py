"""From items' vectors and a trained RQ-VAE to identifiers, no two alike."""

import numpy as np
import torch

from lohrec.common import artefacts, job
from lohrec.identifiers import collisions, rqvae
from lohrec.identifiers import index as index_file
from lohrec.identifiers.codewords import filled


def main(
    embeddings: str,
    model: str,
    ids: str,
    index: str,
    quality: str,
    latents: str,
    settings: dict,
    threads: int,
) -> None:
    """Write the identifiers and how good they are.

    Args:
        embeddings: .npy, float32 (items, dimensions).
        model: rqvae.safetensors.
        ids: semantic_ids.npy to write, int16 (items, 4); levels that the model lacks are filled.
        index: index.json to write, without those; items are named by their numbers, as in LC-Rec.
        quality: quality.json to write.
        latents: latents.npy to write, float32 (items, latent), before quantisation.
        settings: the settings section `collisions`.
        threads: of the CPU.
    """
    torch.set_num_threads(threads)
    vectors = np.load(embeddings, mmap_mode="c")  # PyTorch warns of what it may not write
    trained = rqvae.load(model)
    z = rqvae.encode_all(trained, torch.from_numpy(vectors))
    resolved = collisions.resolve(trained, z, **settings)

    report = collisions.report(trained, vectors, resolved)
    print(report)
    artefacts.write_npy(latents, z.numpy())
    artefacts.write_npy(ids, filled(resolved.final))
    index_file.write(index, resolved.final, [str(item) for item in range(len(vectors))])
    artefacts.write_json(quality, report)


if __name__ == "__main__":
    job.run(main, snakemake)
