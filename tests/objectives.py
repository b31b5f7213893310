"""Settings of an objective, grouped as a variant's row has them."""

from lohrec.configuration import registry

LOSSES = ("one_hot", "smoothed", "distilled", "margin_ranking")


def grouped(flat: dict) -> dict:
    """{loss, generation, ranking, losses: {name: settings}} of flat settings, or the defaults."""
    losses = {
        loss: {
            name: flat.get(name, one["default"])
            for name, one in registry.declared("loss", loss, "SETTINGS").items()
        }
        for loss in LOSSES
    }
    return {name: flat[name] for name in ("loss", "generation", "ranking")} | {"losses": losses}
