"""Margin ranking over ordered candidates (Eq. 14)."""

SETTINGS = {
    "margin": {
        "type": "number", "minimum": 0, "default": 0.1,
        "description": (
            "Margin a place (lambda of Eq. 14, which the paper does not give); with BRIO's 0.001 "
            "nearly equal scores cost nothing and ranking flattens what distillation taught."
        ),
    },
    "reduction": {
        "enum": ["mean", "sum", "by_gap"], "default": "mean",
        "description": "Of the pairs of an example: sum is Eq. 14, by_gap BRIO's program.",
    },
    "ranked_target": {
        "type": "boolean", "default": True,
        "description": "Whether the true target is among the ranked candidates.",
    },
}  # fmt: skip
READS = ["prior"]
