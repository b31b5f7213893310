"""The lightweight recommender: a network that generates semantic IDs (Section 3)."""

SETTINGS: dict[str, dict] = {}
