"""A small LLaMA checkpoint with a tokenizer of its own, and data for it."""

from pathlib import Path

import numpy as np
import torch
from conftest import ROOT
from transformers import LlamaConfig, LlamaForCausalLM

from lohrec.data.examples import Examples
from lohrec.teacher.text_learner import TextLearner
from lohrec.teacher.text_tasks import read_templates
from lohrec.teacher.texts import Texts
from lohrec.teacher.tokenizers import train_tokenizer

NOUNS = ["lamp", "chair", "violin", "bottle", "racket", "garden", "puzzle", "helmet"]
ADJECTIVES = ["red", "folding", "quiet", "heavy", "tiny"]
TITLES = [f"{a} {n}" for n in NOUNS for a in ADJECTIVES]
DESCRIPTIONS = [
    f"A {title} for every day, well made." if i % 3 else "" for i, title in enumerate(TITLES)
]
TITLES[7] = ""
TEXTS = Texts(TITLES, DESCRIPTIONS)
TEMPLATES = read_templates(ROOT / "config/tasks/english.yaml")


def checkpoint(folder: Path, tied: bool = False, seed: int = 0) -> Path:
    """Write the checkpoint: two layers, grouped keys and values, half a thousand tokens."""
    tokenizer = train_tokenizer([*TITLES, *DESCRIPTIONS, "items bought next"], 500)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=tied,
        max_position_embeddings=2048,
        initializer_range=0.2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def identifiers() -> np.ndarray:
    """Distinct identifiers, int16 (items, 4)."""
    n = np.arange(len(TITLES))
    return np.stack([n // 8, n % 8, n % 5, n % 3], 1).astype(np.int16)


def split(users: int = 30, seed: int = 0) -> dict[str, Examples]:
    """Leave-one-out examples of users who walk through the items in steps of one."""
    rng = np.random.default_rng(seed)
    sequences, rows = [], {"train": [], "dev": [], "test": []}
    for user, n in enumerate(rng.integers(5, 12, users)):
        offset = len(sequences)
        sequences += ((rng.integers(len(TITLES)) + np.arange(n)) % len(TITLES)).tolist()
        for place in range(1, n):
            name = {n - 1: "test", n - 2: "dev"}.get(place, "train")
            rows[name].append((user, offset + max(0, place - 20), offset + place))
    sequences = np.array(sequences, dtype=np.int32)
    return {
        name: Examples(sequences, *np.array(places, dtype=np.int64).T)
        for name, places in rows.items()
    }


def settings(model: Path | None = None, **changes) -> dict[str, dict]:
    """Sections of a configuration for it; `changes` go to every section that knows the name."""
    sections = {
        "teacher": {
            "kind": "pretrained" if model else "scratch_text",
            "network": {
                "hidden": 32, "layers": 2, "heads": 2, "intermediate": 48, "dropout": 0.1,
            },
            "training": {
                "epochs": 1, "batch_size": 32, "learning_rate": 3e-3, "warmup": 0.1,
                "weight_decay": 0.01, "clip": 1.0, "bf16": False, "evaluations": 3, "patience": 10,
                "dev_users": 12, "seed": 0,
            },
        },
        "adaptation": {
            "model": model and str(model), "revision": None, "vocabulary": 400, "method": "lora",
            "rank": 4, "alpha": 16, "dropout": 0.05,
            "modules": [f"{n}_proj" for n in ("q", "k", "v", "o", "gate", "up", "down")],
            "row_tokens": 256, "batch_tokens": 512, "checkpointing": True,
        },
        "tasks": {
            "templates": "config/tasks/english.yaml", "user_texts": None, "limit": None,
            "characters": 40,
            "mixture": {
                "sequential": 1.0, "item_to_index": 1.0, "index_to_item": 1.0,
                "history_to_title": 0.2, "titles_to_index": 0.2,
            },
        },
        "sharding": {"folds": 1, "shards": 1},
    }  # fmt: skip
    teacher = sections["teacher"]
    for name, value in changes.items():
        for section in (*sections.values(), teacher["network"], teacher["training"]):
            if name in section:
                section[name] = value
    return sections


def groups(sections: dict[str, dict]) -> dict[str, dict]:
    """The same with the groups of the section `teacher` beside it."""
    teacher = sections["teacher"]
    network = {"kind": teacher["kind"]} | teacher["network"]
    return sections | {"network": network, "training": teacher["training"]}


def text_learner(model: Path | None, **changes) -> TextLearner:
    """The checkpoint, or with None a model with fresh weights, and what it is to learn."""
    sections = groups(settings(model, **changes))
    return TextLearner(split()["train"], identifiers(), sections, TEXTS, TEMPLATES)
