"""Three levels of 64 codewords, from vectors to lists and new items, as a small catalogue wants."""

import json

import assign_semantic_ids
import numpy as np
import pytest
import tiny_shop
import train_rqvae

from lohrec.configuration.sections import defaults, overlaid, tree
from lohrec.data.catalogue import Catalogue
from lohrec.identifiers import lsa, store, text_encoder
from lohrec.identifiers.text_encoder import TextEncoder
from lohrec.recommender.recommender import Recommender
from lohrec.serving import new_items
from lohrec.serving.item_files import NewItem

WORDS = ["red", "blue", "green", "pad", "wheel", "drum", "horn", "flute", "big", "small"]
SHAPE = {"hidden": [16], "latent": 4, "levels": 3, "codes": 64}


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> tiny_shop.Shop:
    """A shop whose identifiers the workflow's own scripts have made."""
    folder = tmp_path_factory.mktemp("shop")
    shop, rng = tiny_shop.make(folder), np.random.default_rng(0)
    titles = [" ".join(rng.choice(WORDS, 3)) for _ in range(tiny_shop.ITEMS)]
    vectors, fitted = lsa.fit(titles, [""] * len(titles), 8, 100, 0)
    np.save(folder / "vectors.npy", vectors)
    encoder = TextEncoder({"method": "lsa", "characters": None}, vectors.mean(0), fitted)
    text_encoder.save(folder / "encoder/text.safetensors", encoder)
    paths = folder / "vectors.npy", folder / "encoder/rqvae.safetensors"
    settings = overlaid(
        defaults(tree()["rqvae"]),
        {"network": SHAPE, "training": {"epochs": 4, "batch_size": 32, "warmup_epochs": 1}},
    )
    train_rqvae.main(*paths, folder / "history.parquet", settings, {}, {"count": 0}, 1)
    written = [folder / name for name in ("ids.npy", "index.json", "quality.json", "latents.npy")]
    assign_semantic_ids.main(*paths, *written, defaults(tree()["collisions"]), 1)
    shop.artefacts["encoder"] = sorted(map(str, folder.glob("encoder/*")))
    catalogue = Catalogue(shop.catalogue.names, titles, shop.catalogue.count)
    return tiny_shop.Shop(folder, catalogue, shop.train, shop.dev, shop.artefacts)


def test_identifiers_have_three_codewords_and_one_that_all_share(shop) -> None:
    ids = store.load_ids(shop.folder / "ids.npy")
    assert ids.shape == (tiny_shop.ITEMS, 4) and len(np.unique(ids, axis=0)) == tiny_shop.ITEMS
    assert (ids[:, 3] == 0).all() and ids.min() >= 0 and ids.max() < 64
    index = json.loads((shop.folder / "index.json").read_text())
    assert {len(tokens) for tokens in index.values()} == {3}
    quality = json.loads((shop.folder / "quality.json").read_text())
    assert len(quality["steps"]["final"]["levels"]) == 3


@pytest.mark.parametrize("network", [{}, {"network": tiny_shop.COMPACT}])
def test_all_items_are_listed_and_new_ones_too(shop, tmp_path, network) -> None:
    shop.fit("generative", network).save(tmp_path / "model")
    new = [NewItem("N1", "red pad", ""), NewItem("N2", "blue horn small", "")]
    ids = new_items.add(tmp_path / "model", new, tmp_path / "grown")
    assert ids.shape == (2, 4) and (ids[:, 3] == 0).all() and ids.max() < 64
    for folder, names in (("model", []), ("grown", ["N1", "N2"])):
        found = Recommender.load(tmp_path / folder).recommend([shop.catalogue.names[:1]], 100)
        assert {name for name, _ in found[0]} == {*shop.catalogue.names[1:], *names}


def test_more_items_than_identifiers_are_refused(shop) -> None:
    settings = overlaid(defaults(tree()["rqvae"]), {"network": SHAPE | {"levels": 2, "codes": 7}})
    with pytest.raises(ValueError, match=r"at 2 levels tell 49 items apart, but there are 60"):
        train_rqvae.main(
            shop.folder / "vectors.npy", shop.folder / "other", shop.folder / "history",
            settings, {}, {"count": 0}, 1,
        )  # fmt: skip
