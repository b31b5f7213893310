"""Cross-entropy against a smoothed target (Eq. 9, 10)."""

SETTINGS = {
    "smoothing": {
        "type": "number", "minimum": 0, "maximum": 1, "default": 0.1,
        "description": (
            "Share of the target distribution that is spread over the other codewords (xi of Eq. "
            "10)."
        ),
    },
}  # fmt: skip
