"""Add the items that a dataset held out to a recommender, and measure the lists."""

import pyarrow.parquet as pq
import torch

from lohrec.common import artefacts, job
from lohrec.data.examples import read_examples
from lohrec.data.sources.older_items import newest
from lohrec.serving import cold_start
from lohrec.serving.item_files import NewItem


def main(
    model: str,
    sequences: str,
    examples: str,
    catalogue: str,
    all_interactions: str,
    all_items: str,
    measured: str,
    share: float,
    threads: int,
) -> None:
    """Write new_items.json.

    Args:
        model: recommender.json of a recommender that was fitted without the new items.
        sequences, examples, catalogue: of its dataset.
        all_interactions, all_items: interactions.parquet and items.parquet, new items among them.
        measured: new_items.json to write.
        share: of the items that was held out.
        threads: of the CPU.
    """
    torch.set_num_threads(threads)
    table, items = pq.read_table(all_interactions), pq.read_table(all_items).to_pydict()
    user, item, time = (table[name].to_numpy() for name in ("user", "item", "time"))
    words = zip(items["asin"], items["title"], items["description"], strict=True)
    every = [NewItem(name, title or "", text or "") for name, title, text in words]
    new = [every[n] for n in newest(item, time, share).tolist()]
    old = set(pq.read_table(catalogue, columns=["asin"])["asin"].to_pylist())
    met = cold_start.met(user, item, items["asin"], old, {one.name for one in new})
    test = read_examples(sequences, examples, "test")
    found = cold_start.measure(model, new, every, met, test)
    print(found)
    artefacts.write_json(measured, found)


if __name__ == "__main__":
    job.run(main, snakemake)
