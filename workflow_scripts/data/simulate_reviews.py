"""Write simulated raw files in the layout of the Amazon 2018 edition."""

from lohrec.common import job_log
from lohrec.data.sources import simulated


def main(reviews: str, metadata: str, settings: dict) -> None:
    """Write `reviews` and `metadata`; `settings` holds users, items, mean_length and seed."""
    counts = simulated.write_simulation(reviews, metadata, **settings)
    print(f"{reviews}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items()))


if __name__ == "__main__":
    with job_log.redirect(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.output.reviews,  # noqa: F821
            snakemake.output.metadata,  # noqa: F821
            snakemake.params.simulation,  # noqa: F821
        )
