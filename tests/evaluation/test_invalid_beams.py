"""Of the beams that a search without a tree has written, those that are no item's identifier."""

import count_invalid_beams
import numpy as np
import torch

from lohrec.common.artefacts import read_json
from lohrec.identifiers.beam_search import FreeBeams


def test_the_share_is_of_the_beams_that_are_written(shop, tmp_path, monkeypatch):
    ids = torch.from_numpy(np.load(shop.folder / "ids.npy")).long()

    def found(steps, beams):
        """For each user two items, an item's prefix that goes on as none does, and no more."""
        users = len(steps.history)
        code = ids[[3, 7, 5, 5]].repeat(users, 1, 1)
        code[:, 2, 3] = 255
        score = torch.tensor([-1.0, -2.0, -3.0, -torch.inf]).repeat(users, 1)
        return FreeBeams(score, code)

    monkeypatch.setattr(count_invalid_beams, "free_search", found)
    count_invalid_beams.main(
        str(shop.folder / "retriever/recommender.json"),
        str(shop.folder / "sequences.npy"),
        str(shop.folder / "examples"),
        str(tmp_path / "invalid.json"),
        beams=[4],
        batch_size=16,
        cuda={"count": 0, "memory_gb": 0},
        threads=1,
    )
    assert read_json(tmp_path / "invalid.json") == {"4": 1 / 3}
