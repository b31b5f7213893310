"""The large recommender itself (Section 4.2)."""

SETTINGS = {
    "constrained": {
        "type": "boolean", "default": True,
        "description": "Whether the prefix tree keeps the beams to identifiers of items.",
    },
}  # fmt: skip
