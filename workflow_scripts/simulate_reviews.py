"""Write simulated raw files in the layout of the Amazon 2018 edition."""

from lohrec import joblog, simulation


def main(reviews: str, metadata: str, settings: dict) -> None:
    """Write `reviews` and `metadata`; `settings` holds users, items, mean_length and seed."""
    counts = simulation.write_simulation(reviews, metadata, **settings)
    print(f"{reviews}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items()))


if __name__ == "__main__":
    with joblog.redirect(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.output.reviews,  # noqa: F821
            snakemake.output.metadata,  # noqa: F821
            snakemake.params.simulation,  # noqa: F821
        )
