"""The recommender counted from shapes: operations (2 a multiply-add), parameters."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from lohrec.identifiers.codewords import CODES, LEVELS, normalised


def encoding(config: dict[str, Any], places: int) -> int:
    """Operations to encode one history of `places` tokens, cross-attention's keys and values too.

    Args:
        config: d_model, d_ff, heads, d_kv, layers, decoder_layers.
    """
    wide = config["heads"] * config["d_kv"]
    linear = 4 * config["d_model"] * wide + 2 * config["d_model"] * config["d_ff"]
    attention = 2 * places * wide  # scores, and the weighted sum of values
    memory = 2 * config["d_model"] * wide
    layers, decoder_layers = config["layers"], config["decoder_layers"]
    operations: int = 2 * places * (layers * (linear + attention) + decoder_layers * memory)
    return operations


def decoding(
    config: dict[str, Any], queries: Sequence[int], places: int, every_past: bool = True
) -> int:
    """Operations of the decoder over one history of `places` tokens.

    Args:
        config: as for `encoding`, and codewords.
        queries: new positions at each step.
        every_past: each new position's scores run over all positions so far; False counts what one
            pass over all steps at once does, where they run over all there will be.
    """
    wide = config["heads"] * config["d_kv"]
    linear = 6 * config["d_model"] * wide + 2 * config["d_model"] * config["d_ff"]
    layers, total, past = config["decoder_layers"], 0, 0 if every_past else sum(queries)
    output = config["d_model"] * normalised(config["codewords"])
    for new in queries:
        past += new if every_past else 0
        attention = 2 * (past + places) * wide
        total += 2 * new * (layers * (linear + attention) + output)
    return total


def training_step(config: dict[str, Any], queries: Sequence[int], places: int) -> int:
    """Operations of one example's forward and backward pass; the backward is twice the forward."""
    return 3 * (encoding(config, places) + decoding(config, queries, places, every_past=False))


def autoencoder_step(widths: Sequence[int]) -> int:
    """Operations of one vector's forward and backward pass through an MLP and its mirror."""
    return 3 * 2 * 2 * sum(a * b for a, b in pairwise(widths))


def parameters(network: str, config: dict[str, Any], items: int) -> int:
    """Parameters of a generative network without its norms; 0 of one that is not known here.

    Args:
        network: its name.
        config: its settings.
        items: of the catalogue, which bound the pairs of first codewords.
    """
    if network == "t5":
        wide = config["heads"] * config["d_kv"]
        attention, rest = 4 * config["d_model"] * wide, 2 * config["d_model"] * config["d_ff"]
        layers = config["layers"] * (attention + rest)
        layers += config["decoder_layers"] * (2 * attention + rest)
        return int(LEVELS * CODES * config["d_model"] + layers)
    if network == "compact":
        width, pairs = config["width"], config["pairs"]
        tables = (3 * LEVELS - 1) * CODES * width + (min(items, CODES**2) + 2 * width) * pairs
        return int(tables + (12 * config["layers"] + 8 * LEVELS) * width**2)
    return 0
