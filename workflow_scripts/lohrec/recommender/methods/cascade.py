"""A retriever that finds candidates and a ranker that orders them (DTR, Section 3.2)."""

SETTINGS: dict[str, dict] = {}
