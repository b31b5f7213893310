"""Write simulated raw files in the layout of the Amazon 2018 edition."""

from lohrec.common import job
from lohrec.data.sources import simulated


def main(reviews: str, metadata: str, settings: dict) -> None:
    """Write `reviews` and `metadata`; `settings` holds users, items, mean_length and seed."""
    counts = simulated.write_simulation(reviews, metadata, **settings)
    print(f"{reviews}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items()))


if __name__ == "__main__":
    job.run(main, snakemake)
