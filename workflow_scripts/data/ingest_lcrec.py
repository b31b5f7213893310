"""From LC-Rec's published sequences, and item texts if there are any, to the house's tables."""

from lohrec.common import job
from lohrec.data.interactions import drop_repeats, write
from lohrec.data.sources.lcrec import read_inter, read_items


def main(inter: str, outputs: dict[str, str], item: str | None = None) -> None:
    """Read and write; `outputs` are the paths that `interactions.write` takes.

    The sequences stay as they were published: nothing is dropped, repeats are only counted.
    """
    kept = read_inter(inter)
    texts, rejected = read_items(item) if item else ({}, {})
    found = {
        "lines": len(kept),
        "rejected": rejected,
        "repeats": len(kept) - len(drop_repeats(kept)),
        "without_metadata": len(set(kept.items.to_pylist()) - set(texts)),
        "core_rounds": 0,
    }
    print(f"{inter}: {kept.counts()}; {found}")
    if item and found["without_metadata"] == len(kept.items):
        raise ValueError(
            f"{item} has no item of {inter}. Use the item.json of the same data set, or none."
        )
    write(kept, texts, found, [inter, item] if item else [inter], **outputs)


if __name__ == "__main__":
    job.run(main, snakemake)
