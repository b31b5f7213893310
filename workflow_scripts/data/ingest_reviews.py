"""From reviews and product metadata to a k-core of interactions with item text (Section 4.1)."""

from typing import Any

from lohrec.common import job
from lohrec.data.interactions import core, drop_repeats, keep_items, renumber, write
from lohrec.data.sources.amazon2018 import read_metadata, read_reviews


def main(reviews: str, metadata: str, outputs: dict[str, str], settings: dict[str, Any]) -> None:
    """Read, select and write; `outputs` are the paths that `interactions.write` takes."""
    read, found = read_reviews(reviews)
    print(f"{reviews}: {found['lines']} lines, rejected {found['rejected']}")
    distinct = drop_repeats(read)
    found["repeats"] = len(read) - len(distinct)
    print(f"{found['repeats']} repeats dropped; {distinct.counts()}")

    # Before the metadata, so that text is held for items that can stay only.
    candidates, rounds = core(distinct, settings["core"])
    print(f"{settings['core']}-core after {rounds} rounds; {candidates.counts()}")
    texts, found["metadata"] = read_metadata(metadata, candidates.item_names().to_pylist())
    print(f"{metadata}: {found['metadata']}")
    described = keep_items(candidates, list(texts))
    before, after = candidates.counts(), described.counts()
    found["without_metadata"] = {
        what: before[what] - after[what] for what in ("items", "interactions")
    }
    print(f"Without metadata: {found['without_metadata']}")
    kept, more = core(described, settings["core"])
    found["core_rounds"] = rounds + more
    print(f"Kept: {kept.counts()}")
    write(renumber(kept), texts, found, [reviews, metadata], **outputs)


if __name__ == "__main__":
    job.run(main, snakemake)
