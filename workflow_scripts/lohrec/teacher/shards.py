"""What a job needs that reads one shard of the train examples with the shard's teacher."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel

from lohrec.common.checkpoints import fingerprint
from lohrec.common.partial_array import PartialArray
from lohrec.data import examples as windows
from lohrec.data.examples import Examples
from lohrec.teacher import model as teacher
from lohrec.teacher import prompts, user_folds

SETTINGS = {
    "codewords": {
        "enum": ["legal", "level", "all"], "default": "all",
        "description": (
            "Whether the softmax runs over the codewords that some item has after the prefix, over "
            "the level's, or over all."
        ),
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
    questions: prompts.CodewordQuestions | prompts.TextQuestions
    ids: np.ndarray
    made_of: str

    def compute(
        self,
        answer: Callable[[prompts.Asked], torch.Tensor],
        path: str | Path,
        shape: tuple[int, ...],
        dtype: type,
        batch_size: int,
        answered: bool,
    ) -> None:
        """Write what the teacher answers for every example of the shard, a batch at a time.

        A run that was cut off goes on where it ended.

        Args:
            answer: from prompts to (examples, *shape).
            path: .npy to write, (the shard's examples, *shape) of `dtype`.
            batch_size: about as many examples at once.
            answered: whether the true targets stand after the prompts.
        """
        out = PartialArray(path, (len(self.examples), *shape), dtype, self.made_of)
        for part in out.remaining(self.questions.batches(batch_size), "asking the teacher"):
            asked = self.questions.ask(part, answered).to(self.network.device)
            with torch.inference_mode():
                out.values[asked.example] = answer(asked).cpu().numpy()
        print(f"{len(self.examples):,} examples in {out.seconds:.0f} s")
        out.finish()


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
    asked = prompts.of(folder, own, semantic)
    return TeacherShard(teacher.load(folder, device), own, asked, semantic, made_of)
