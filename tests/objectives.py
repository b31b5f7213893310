"""Settings of an objective, grouped as a variant's row has them."""

OF = {
    "one_hot": (),
    "smoothed": ("smoothing",),
    "distilled": ("mixture",),
    "margin_ranking": ("margin", "reduction", "ranked_target"),
}


def grouped(flat: dict) -> dict:
    """{loss, generation, ranking, losses: {name: settings}} of flat settings."""
    losses = {loss: {n: flat[n] for n in names if n in flat} for loss, names in OF.items()}
    return {name: flat[name] for name in ("loss", "generation", "ranking")} | {"losses": losses}
