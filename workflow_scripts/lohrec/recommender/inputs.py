"""What a recommender is fitted to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch

from lohrec.common.tracking import Trial
from lohrec.data.catalogue import Catalogue
from lohrec.data.examples import Examples, read_examples
from lohrec.data.sequences import leaves_out

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Inputs:
    """What a recommender is fitted to.

    Attributes:
        train, dev: examples; dev ones choose the best state, and of counts (`ItemWeights`) the two
            numbers that make scores probabilities. Nothing else is learned from them.
        catalogue: the items.
        history: most items of a history that are read.
        artefacts: paths of what else the recommender reads, by the names in its `READS` and of the
            parts that its row names; of several members, a list. `catalogue` is items.parquet.
        decoding: settings of the search for lists; `exclude_history` holds on the dev set too.
        device: where to compute.
        checkpoint: where an unfinished training keeps its state; None keeps none.
        code: hashes of the program, so that no checkpoint outlives a change of it.
        trial: of a search for settings, if this fit is one.
    """

    train: Examples
    dev: Examples
    catalogue: Catalogue
    history: int
    artefacts: Mapping[str, Any] = field(default_factory=dict)
    decoding: Mapping[str, Any] = field(default_factory=lambda: {"exclude_history": True})
    device: torch.device = CPU
    checkpoint: Path | None = None
    code: Mapping[str, str] = field(default_factory=dict)
    trial: Trial | None = None

    @classmethod
    def read(
        cls,
        files: Mapping[str, Any],
        history: int,
        decoding: Mapping[str, Any],
        device: torch.device,
        checkpoint: Path,
        code: Mapping[str, str],
        without: tuple[int, int] | None = None,
    ) -> Self:
        """Those of a job; see `Inputs` for what is not named here.

        Args:
            files: sequences, examples, catalogue and statistics (sequences.npy, examples.parquet,
                items.parquet, statistics.json), and the artefacts.
            decoding: its `exclude_history` may be "auto".
            without: a fold of the users, whose train examples are left out, and how many folds
                there are. The dev examples are theirs alone: others would be of users whom the fit
                knows, and it will teach those of the fold.
        """
        data = files["sequences"], files["examples"]
        train, dev = read_examples(*data, "train"), read_examples(*data, "dev")
        if without is not None:
            train, dev = train.without_fold(*without), dev.of_fold(*without)
        excluded = leaves_out(decoding["exclude_history"], files["statistics"])
        searched = {**decoding, "exclude_history": excluded}
        catalogue = Catalogue.of(files["catalogue"], train)
        return cls(train, dev, catalogue, history, files, searched, device, checkpoint, code)
