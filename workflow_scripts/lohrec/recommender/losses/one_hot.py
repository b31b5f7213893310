"""Cross-entropy of the true codeword (Eq. 8)."""

SETTINGS: dict[str, dict] = {}
