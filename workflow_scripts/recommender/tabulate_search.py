"""The dev set's figures of every trial of a search, from the best on."""

from typing import Any

import yaml

from lohrec.common import artefacts, job
from lohrec.evaluation import tables
from lohrec.recommender.recommender import curve

# Columns of the table, and how they are shown.
MEASURED = {
    "dev_ndcg@10": "{:.4f}",
    "dev_recall@10": "{:.4f}",
    "dev_loss": "{:.4f}",
    "step": "{:,}",
    "seconds": "{:.0f}",
}


def main(
    models: list[str],
    trials: list[dict[str, Any]],
    markdown: str,
    table: str,
    search: str,
    dataset: str,
) -> None:
    """Write the table as Markdown and as CSV.

    Args:
        models: recommender.json of every trial.
        trials: the settings of each over the row's own.
        markdown, table: files to write.
        search: the row of variants that is searched.
        dataset: its name.
    """
    rows = []
    for number, (model, settings) in enumerate(zip(models, trials, strict=True)):
        states = curve(model)
        best = next(state for state in states if state["kept"])
        said = yaml.safe_dump(settings, default_flow_style=True, width=1000).strip()
        figures = {name: best.get(name) for name in MEASURED}
        rows.append({"trial": number, "settings": said} | figures | {"of": states[-1]["step"]})
    rows.sort(key=lambda row: -row["dev_ndcg@10"])
    artefacts.write_text(table, tables.comma_separated([*rows[0]], [[*r.values()] for r in rows]))

    shown = [
        [str(row["trial"]), f"`{row['settings']}`"]
        + [MEASURED[n].format(row[n]) if row[n] is not None else "" for n in MEASURED]
        for row in rows
    ]
    artefacts.write_text(
        markdown,
        f"# {search} on {dataset}: settings tried on the dev set\n\n"
        "A trial is the row with these settings over its own, one seed, at its best step by "
        "NDCG@10. No test user was looked at.\n\n"
        + tables.markdown(["trial", "settings", *MEASURED], shown),
    )
    print("\n".join(" | ".join(row) for row in shown))


if __name__ == "__main__":
    job.run(main, snakemake)
