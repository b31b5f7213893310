"""The T5's settings as `T5ForConditionalGeneration` of transformers calls them."""

from collections.abc import Iterable, Mapping
from typing import Any

from lohrec.identifiers.codewords import PAD
from lohrec.recommender.networks.t5_layers import BUCKETS, MAX_DISTANCE
from lohrec.recommender.networks.t5_tokens import START, VOCABULARY

# Those that it calls otherwise.
NAMES = {
    "heads": "num_heads",
    "layers": "num_layers",
    "decoder_layers": "num_decoder_layers",
    "dropout": "dropout_rate",
}


def of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json holds: all that transformers must know, and settings that are ours alone."""
    return {
        "architectures": ["T5ForConditionalGeneration"],
        "model_type": "t5",
        "vocab_size": VOCABULARY,
        "feed_forward_proj": "relu",
        "relative_attention_num_buckets": BUCKETS,
        "relative_attention_max_distance": MAX_DISTANCE,
        "tie_word_embeddings": True,
        "pad_token_id": PAD,
        "decoder_start_token_id": START,
        "eos_token_id": None,
    } | {NAMES.get(key, key): value for key, value in settings.items()}


def read(config: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The settings of these names in a config.json."""
    return {name: config[NAMES.get(name, name)] for name in names}
