"""What comes from different runs is refused by the paths of both."""

from dataclasses import replace

import numpy as np
import pytest


def test_arrays_of_other_examples_are_named(shop, tmp_path):
    n, paths = len(shop.train), {"examples": str(shop.folder / "examples")}
    rows = {"prior": np.zeros((n - 1, 4), np.int32), "probabilities": np.zeros((n + 1, 4, 256))}
    for name, array in rows.items():
        path = tmp_path / f"{name}.npy"
        np.save(path, array)
        other = replace(shop, artefacts=shop.artefacts | paths | {name: str(path)})
        said = rf" has {len(array)} rows \({path}\) for {n} train examples \({paths['examples']}\)"
        with pytest.raises(ValueError, match=said):
            other.fit("generative")


def test_parts_of_a_cascade_with_other_identifiers_are_named(shop, tmp_path):
    np.save(tmp_path / "ids.npy", np.load(shop.artefacts["ids"])[::-1])
    other = replace(shop, artefacts=shop.artefacts | {"ids": str(tmp_path / "ids.npy")})
    other.fit("generative").save(tmp_path / "ranker")
    parts = shop.artefacts | {"ranker": str(tmp_path / "ranker")}
    said = rf"retriever \({parts['retriever']}\) and ranker \({parts['ranker']}\) have other"
    with pytest.raises(ValueError, match=said):
        replace(shop, artefacts=parts).fit("cascade")
