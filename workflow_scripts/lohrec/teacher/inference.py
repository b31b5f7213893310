"""A trained teacher, run over one shard of the train examples (C1 of Eq. 15, Eq. 12)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel

from lohrec.common.checkpoints import fingerprint
from lohrec.common.partial_array import PartialArray
from lohrec.data.examples import Examples, read_examples
from lohrec.teacher import sharding
from lohrec.teacher.model import load_teacher
from lohrec.teacher.prompts import PromptBatch, Prompts, load_words, prompts_for


class TeacherShard(NamedTuple):
    """The shard's teacher, and what it reads.

    Attributes:
        network: the teacher, in evaluation mode.
        examples: those of the shard's users.
        prompts: of these examples.
        ids: int (items, levels).
        made_of: a digest of all of this, the settings and the program; no unfinished array is gone
            on with after its change.
    """

    network: PreTrainedModel
    examples: Examples
    prompts: Prompts
    ids: np.ndarray
    made_of: str

    def compute(
        self,
        function: Callable[[PromptBatch], torch.Tensor],
        path: str | Path,
        shape: tuple[int, ...],
        dtype: type,
        batch_size: int,
        with_answers: bool,
    ) -> None:
        """Write what a function computes for every example of the shard, a batch at a time.

        A run that was cut off goes on where it ended.

        Args:
            function: from prompts to (examples, *shape).
            path: .npy to write, (the shard's examples, *shape) of `dtype`.
            batch_size: about as many examples at once.
            with_answers: whether the true targets stand after the prompts.
        """
        made_of = fingerprint([self.made_of, batch_size])
        with PartialArray(path, (len(self.examples), *shape), dtype, made_of) as out:
            for rows in out.remaining(self.prompts.batches(batch_size), "running the teacher"):
                batch = self.prompts.batch(rows, with_answers).to(self.network.device)
                with torch.inference_mode():
                    out.values[batch.example] = function(batch).cpu().numpy()
            print(f"{len(self.examples):,} examples in {out.seconds:.0f} s")
            out.finish()


def load_shard(
    sequences: str,
    examples: str,
    ids: str,
    model: str,
    number: int,
    settings: dict[str, dict[str, Any]],
    code: dict[str, Any],
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
    train, semantic = read_examples(sequences, examples, "train"), np.load(ids)
    _, part = sharding.shard(train, number, **settings["sharding"])
    folder = Path(model).parent
    made_of = fingerprint(
        [settings, number, code],
        *(semantic, part.start, part.stop, np.asarray(part.sequences)),
        np.memmap(model, np.uint8, "r"),
    )
    prompts = prompts_for(load_words(folder), part, semantic)
    return TeacherShard(load_teacher(folder, device), part, prompts, semantic, made_of)
