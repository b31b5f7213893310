"""How good lists are on new items, recommender by recommender, as a table."""

from lohrec.common import artefacts, job
from lohrec.evaluation import tables
from lohrec.serving.cold_start import CUTOFFS

SHOWN = {
    "new": "new items, Recall@{}",
    "new_popularity": "popularity",
    "new_chance": "chance",
    "new_text": "text alone",
    "old_before": "old items, Recall@{}",
    "rare_before": "rare old items",
    "old_change": "change by adding",
}


def main(measured: list[str], models: list[str], markdown: str, dataset: str) -> None:
    """Write the table.

    Args:
        measured: new_items.json of every recommender.
        models: what each is called.
        markdown: the file to write.
        dataset: its name.
    """
    every = [artefacts.read_json(path) for path in measured]
    rows = [
        [name, f"{cutoff}", *(_cell(found["recall"][what][str(cutoff)]) for what in SHOWN)]
        for name, found in zip(models, every, strict=True)
        for cutoff in CUTOFFS
    ]
    header = ["recommender", "K", *(name.format("K") for name in SHOWN.values())]
    one = every[0]
    text = (
        f"# New items in {dataset}\n\n"
        f"{one['new_items']:,} items, the newest, are in no training; `lohrec add-items` puts them "
        f"among {one['items'] - one['new_items']:,} others. Targets: {one['new']:,} interactions "
        f"with new items, {one['old']:,} of the test split with old ones, {one['rare']:,} of these "
        "with the least popular ones (rare). Lists are of all items without the user's own; text "
        "alone lists what is nearest to the last item. Intervals are of 95 %, over "
        "users.\n\n"
    )
    artefacts.write_text(markdown, text + tables.markdown(header, rows) + "\n")
    print(text, tables.markdown(header, rows))


def _cell(figure: dict[str, float]) -> str:
    return "{mean:.4f} ({low:.4f} to {high:.4f})".format(**figure)


if __name__ == "__main__":
    job.run(main, snakemake)
