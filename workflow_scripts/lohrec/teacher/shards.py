"""What a job needs that reads one shard of the train examples with the shard's teacher."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel

from lohrec.common.checkpoints import fingerprint
from lohrec.data import examples as windows
from lohrec.data.examples import Examples
from lohrec.teacher import model as teacher
from lohrec.teacher import prompts as questions
from lohrec.teacher import user_folds

SETTINGS = {
    "codewords": {
        "enum": ["level", "all"], "default": "all",
        "description": "Whether the softmax runs over the level's codewords or over all.",
    },
    "temperature": {
        "type": "number", "exclusiveMinimum": 0, "default": 1.0,
        "description": "Temperature of the softmax.",
    },
    "batch_size": {
        "type": "integer", "minimum": 1, "default": 256,
        "description": "Examples at once.",
    },
}  # fmt: skip


class TeacherShard(NamedTuple):
    """The shard's teacher, and what it is asked.

    Attributes:
        network: the teacher, in evaluation mode.
        examples: those of the shard's users.
        questions: on these examples.
        ids: int (items, levels).
        made_of: a digest of all of this, the settings and the program; no unfinished array is gone
            on with after its change.
    """

    network: PreTrainedModel
    examples: Examples
    questions: questions.CodewordQuestions | questions.TextQuestions
    ids: np.ndarray
    made_of: str


def load(
    sequences: str,
    examples: str,
    ids: str,
    model: str,
    number: int,
    settings: dict[str, dict],
    code: dict,
    device: torch.device,
) -> TeacherShard:
    """Read a shard.

    Args:
        sequences, examples, ids: sequences.npy, examples.parquet, semantic_ids.npy.
        model: model.safetensors of the shard's teacher.
        number: of the shard.
        settings: sections of the configuration, `sharding` among them.
        code: hashes of the program.
    """
    train, semantic = windows.load(sequences, examples, "train"), np.load(ids)
    _, own = user_folds.shard(train, number, **settings["sharding"])
    folder = Path(model).parent
    made_of = fingerprint(
        [settings, number, code],
        *(semantic, own.start, own.stop, np.asarray(own.sequences)),
        np.memmap(model, np.uint8, "r"),
    )
    asking = questions.of(folder, own, semantic)
    return TeacherShard(teacher.load(folder, device), own, asking, semantic, made_of)
