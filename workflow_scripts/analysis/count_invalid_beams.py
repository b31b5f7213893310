"""How many beams are identifiers of no item where nothing constrains them (Figure 1, right)."""

import numpy as np
import torch

from lohrec.common import artefacts, devices, job, job_log
from lohrec.data.examples import read_examples
from lohrec.identifiers.beam_search import free_search
from lohrec.identifiers.codewords import token_table
from lohrec.recommender.recommender import Recommender
from lohrec.recommender.training_data import history_tokens


def main(
    model: str,
    sequences: str,
    examples: str,
    invalid: str,
    beams: list[int],
    batch_size: int,
    cuda: dict,
    threads: int,
) -> None:
    """Write {"10": share of the test users' beams of width 10 that are no items, ...}.

    At each step any codeword may be written for which the network has a logit, those of other
    levels too.
    """
    device = devices.acquire(cuda, threads)
    recommender = Recommender.load(model, device)
    network, tree, table = recommender.network, recommender.tree, token_table(recommender.ids)
    test = read_examples(sequences, examples, "test")
    order = np.argsort(test.length, kind="stable")
    batches = np.split(order, range(batch_size, len(order), batch_size))
    shares = {}
    for width in beams:
        wrong = total = 0
        for rows in job_log.progress(batches, f"{width} beams", unit="batch"):
            history = history_tokens(test, rows, table).to(device)
            found = free_search(network.free_steps(history), width)
            written = torch.isfinite(found.score)
            wrong += int((written & (tree.leaf(found.code) < 0)).sum())
            total += int(written.sum())
        shares[str(width)] = wrong / total
        print(f"{width} beams: {shares[str(width)]:.2%} are no items")
    artefacts.write_json(invalid, shares)


if __name__ == "__main__":
    job.run(main, snakemake)
