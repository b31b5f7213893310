"""The card of a recommender, from its folder, its data and its figures."""

from typing import Any

from lohrec.common import artefacts, job
from lohrec.serving import model_card


def main(model: str, per_user: str, statistics: str, card: str, data: dict[str, Any]) -> None:
    """Write README.md.

    Args:
        model: recommender.json.
        per_user: per_user.parquet of the same seed.
        statistics: statistics.json of the dataset.
        card: README.md to write.
        data: `source`, `category` and `terms` of the dataset.
    """
    known = model_card.Data(**data, statistics=artefacts.read_json(statistics))
    artefacts.write_text(card, model_card.text(model, known, model_card.measured(per_user)))


if __name__ == "__main__":
    job.run(main, snakemake)
