"""What FDSA and S3-Rec read of items beside their numbers."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from test_item_networks import ITEMS, network
from tiny_shop import DECODING, SMALL, shop  # noqa: F401

from lohrec.configuration.sections import defaults, overlaid, tree
from lohrec.identifiers.codewords import LEVELS, token_table
from lohrec.recommender.inputs import Inputs
from lohrec.recommender.item_attributes import of_data
from lohrec.recommender.recommender import Histories, Recommender, named

BRANDS = ["Sony", "", "Sony", "", "Atari", ""]
CATEGORIES = [["all", "games", "pads"], ["games"], ["all", "cards"], ["all"], ["all", "pads"], []]


def written(folder, brands=BRANDS, categories=CATEGORIES):
    columns = {"brand": brands, "categories": categories}
    path = folder / "items.parquet"
    pq.write_table(pa.table({"item": range(len(brands))} | columns), path)
    return path


def test_brands_and_categories_of_several_items_are_numbered(tmp_path):
    told = of_data(written(tmp_path))
    names = ["brand Sony", "category games", "category pads", "none"]
    found = [{names[n] for n in row if n < len(names)} for row in told]
    assert found == [
        {"brand Sony", "category games", "category pads"},
        {"category games"},
        {"brand Sony"},  # no other item has its other category
        {"none"},
        {"category pads"},  # nor this one's brand
        {"none"},
        set(),
    ]
    assert told.shape == (7, 3) and told.dtype == np.int64 and told.max() == len(names)
    # Padding stands last.
    assert (np.diff((told == len(names)).astype(int), axis=1) >= 0).all()


def test_of_an_item_with_very_many_the_most_frequent_are_kept(tmp_path, capsys):
    # Item 0 has 40, of which the n-th is of n % 8 + 1 other items; these have a few each.
    categories = [[f"c{n:02d}" for n in range(40)], *([] for _ in range(79))]
    for n in range(40):
        for other in range(n + 1, n + n % 8 + 2):
            categories[other].append(f"c{n:02d}")
    told = of_data(written(tmp_path, [""] * 80, categories))
    assert told.shape == (81, 32)
    assert sorted(told[0]) == sorted([1, 9, *(n for n in range(40) if n % 8 > 1)])
    for row, of in list(zip(told, categories, strict=False))[1:]:
        assert row[row < 41].tolist() == ([int(name[1:]) for name in of] or [40])  # "none"
    assert "attributes beyond 32 left out: 8, of 1 items" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("brands", "categories"),
    [
        ([""] * 5, [[]] * 5),
        (["Sony", "Sony", "", "", ""], [[]] * 5),  # of two items in five
        ([""] * 5, [["all"]] * 5),  # which all have
    ],
)
def test_data_that_tell_little_are_not_read(tmp_path, brands, categories):
    assert of_data(written(tmp_path, brands, categories)) is None


def test_an_items_attributes_are_weighed_without_padding():
    model = network("fdsa")
    for items in ([3], [2, 5]):
        history = torch.tensor([items])
        before = model.read(history)
        with torch.no_grad():
            model.attribute.weight[model.padding] += 5.0
        torch.testing.assert_close(model.read(history), before)
    several = [row for row in model.attributes[:ITEMS] if (row == model.padding).any()]
    assert several  # some have padding


@pytest.mark.parametrize("name", ["fdsa", "s3_rec"])
def test_a_catalogue_with_brands_is_fitted_saved_and_opened(shop, tmp_path, name, capsys):  # noqa: F811
    items = len(shop.catalogue)
    path = written(tmp_path, [f"brand {n % 7}" for n in range(items)], [["all"]] * items)
    settings = overlaid(
        defaults(tree()["recommenders"][name]), {"width": 16, "training": SMALL["training"]}
    )
    of = {"brand and categories": path, "codewords": shop.folder / "items.parquet"}
    ids = np.load(shop.artefacts["ids"])
    for what, catalogue in of.items():
        artefacts = shop.artefacts | {"catalogue": str(catalogue)}
        inputs = Inputs(shop.train, shop.dev, shop.catalogue, 20, artefacts, DECODING)
        fitted = named(name).fit(inputs, settings, 0)
        assert f"attributes of the items: {what}" in capsys.readouterr().out
        fitted.save(tmp_path / what, {})
        opened = Recommender.load(tmp_path / what)
        number = opened.network.attributes
        if what == "codewords":
            assert (number.numpy() == token_table(ids)).all() and number.shape[1] == LEVELS
        else:
            assert opened.network.padding == 7 and number.shape == (items + 1, 1)
        histories = Histories(np.array([[0, 3, 4], [7, -1, -1]]), np.array([3, 1]))
        one, other = (made.rank(histories, 5, True) for made in (fitted, opened))
        assert (one.item == other.item).all() and len(one.item) == 10
