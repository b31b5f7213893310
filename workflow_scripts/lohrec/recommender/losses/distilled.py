"""Cross-entropy against the teacher's probabilities (Eq. 11)."""

SETTINGS = {
    "mixture": {
        "type": "number", "minimum": 0, "maximum": 1, "default": 0.0,
        "description": (
            "Share of the one-hot loss (Eq. 8) beside the teacher's probabilities (Eq. 11)."
        ),
    },
}  # fmt: skip
READS = ["probabilities"]
