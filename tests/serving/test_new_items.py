"""New items: identifiers beside those of their like, places in lists, and nothing else moves."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import tiny_shop
import torch

import lohrec
from lohrec.common.artefacts import write_json
from lohrec.data.catalogue import Catalogue
from lohrec.identifiers import collisions, lsa, rqvae, store, text_encoder
from lohrec.identifiers.mixtures import WithNew, log_probabilities
from lohrec.identifiers.rqvae import RQVAE
from lohrec.identifiers.text_encoder import TextEncoder
from lohrec.recommender.methods.generative import Generative
from lohrec.recommender.recommender import Histories, item_vectors
from lohrec.serving import item_files, new_items
from lohrec.serving.command import main
from lohrec.serving.item_files import NewItem

KINDS = ["red", "blue", "green"]
THINGS = ["pad", "wheel", "drum", "horn", "flute"]
TEXT = {"method": "lsa", "characters": None}


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> tiny_shop.Shop:
    """A shop whose identifiers are made of texts; four items have each text."""
    folder = tmp_path_factory.mktemp("shop")
    shop = tiny_shop.make(folder)
    titles = [f"{KINDS[n % 3]} {THINGS[n % 5]}" for n in range(tiny_shop.ITEMS)]
    vectors, fitted = lsa.fit(titles, [""] * len(titles), 8, 100, 0)
    text_encoder.save(
        folder / "encoder/text.safetensors", TextEncoder(TEXT, vectors.mean(0), fitted)
    )
    torch.manual_seed(0)
    model = RQVAE(vectors.shape[1], [], 4, 4, 256)
    model.codebooks.data = torch.randn(4, 256, 4) * torch.tensor([1, 0.5, 0.2, 0.1])[:, None, None]
    rqvae.save(folder / "encoder/rqvae.safetensors", model)
    latents = rqvae.encode_all(model, torch.from_numpy(vectors))
    np.save(folder / "ids.npy", collisions.resolve(model, latents, 0.003, 50, 20).final)
    shop.artefacts["encoder"] = sorted(map(str, folder.glob("encoder/*")))
    catalogue = Catalogue(shop.catalogue.names, titles, shop.catalogue.count)
    shop = tiny_shop.Shop(folder, catalogue, shop.train, shop.dev, shop.artefacts)
    for seed, role in enumerate(("finder", "orderer")):
        shop.fit("generative", seed=seed).save(folder / role)
    shop.artefacts.update({"retriever": str(folder / "finder"), "ranker": str(folder / "orderer")})
    shop.artefacts["members"] = [shop.artefacts["retriever"], shop.artefacts["ranker"]]
    return shop


@pytest.fixture(scope="module", params=["generative", "compact", "cascade", "ensemble"])
def model(request, shop) -> Path:
    compact = request.param == "compact"
    kind, settings = ("generative", {"network": tiny_shop.COMPACT}) if compact else (
        request.param, {}
    )  # fmt: skip
    folder = shop.folder / "models" / request.param
    shop.fit(kind, settings).save(folder)
    return folder


NEW = [NewItem("N1", "red pad", ""), NewItem("N2", "green horn", "blue"), NewItem("N3", "", "")]


def identifiers(folder: Path) -> list[np.ndarray]:
    return [store.load(path.parent) for path in sorted(folder.rglob(store.FILE))]


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_new_items_are_known_and_listed_and_nothing_moves(model, shop, tmp_path) -> None:
    before = files(model)
    old = identifiers(model)[0]
    new = new_items.add(model, NEW, tmp_path / "new")
    assert files(model) == before
    for ids in identifiers(tmp_path / "new"):
        np.testing.assert_array_equal(ids, np.concatenate([old, new]))
        assert len(np.unique(ids, axis=0)) == len(old) + 3
    again = lohrec.Recommender.load(tmp_path / "new")
    assert again.catalogue.names == [*shop.catalogue.names, "N1", "N2", "N3"]
    assert again.catalogue.count.tolist() == [*shop.catalogue.count, 0, 0, 0]
    # All items, the new ones among them, are in a list that is long enough; also as a history.
    (own,) = [again.recommend([shop.catalogue.names[:2]], 100)[0]]
    assert {"N1", "N2", "N3"} < {name for name, _ in own} and len(own) == len(old) + 1
    lists = again.recommend([["N1"]], 5)
    assert lists.unknown.tolist() == [0] and "N1" not in {name for name, _ in lists[0]}
    saved = json.loads((tmp_path / "new/recommender.json").read_text())
    assert saved["made"]["added_items"] == 3
    assert {p.suffix for p in (tmp_path / "new").rglob("*") if p.is_file()} <= {
        ".json", ".safetensors",
    }  # fmt: skip
    # The same again gives the same bytes, and a second addition goes on from the first.
    new_items.add(model, NEW, tmp_path / "twice")
    assert files(tmp_path / "twice") == files(tmp_path / "new")
    new_items.add(tmp_path / "new", [NewItem("N4", "red pad", "")], tmp_path / "more")
    assert len(lohrec.Recommender.load(tmp_path / "more").catalogue) == len(old) + 4


def test_figures_without_the_new_items_are_not_those_of_the_grown_one(
    shop, tmp_path, capsys
) -> None:
    seed, made = tmp_path / "mine/seed_0", {"dataset": "shop", "variant": "mine"}
    shop.fit("generative").save(seed, made)
    metrics = made | {"seeds": [0], "exclude_history": True, "test": {"ndcg@10": {"mean": 0.25}}}
    write_json(seed / "metrics.json", metrics)
    (seed / "README.md").write_text("NDCG@10 is 0.25")
    assert "0.2500" in shown(capsys, seed)
    new_items.add(seed, NEW, tmp_path / "mine/grown")
    grown = json.loads((tmp_path / "mine/grown/recommender.json").read_text())
    assert not {"README.md", "metrics.json"} & {*grown["sha256"], *files(tmp_path / "mine/grown")}
    # Nor are those that a run has left above its seeds.
    (seed / "metrics.json").rename(tmp_path / "mine/metrics.json")
    assert "0.2500" in shown(capsys, seed)
    assert "test set" not in shown(capsys, tmp_path / "mine/grown")


def test_lists_go_by_what_new_items_share_with_others(model, shop, tmp_path) -> None:
    new_items.add(model, NEW, tmp_path / "first")
    new_items.add(tmp_path / "first", [NewItem("N4", "blue drum", "")], tmp_path / "new")
    trained = {store.trained(path.parent) for path in (tmp_path / "new").rglob(store.FILE)}
    assert trained == {tiny_shop.ITEMS}
    again = lohrec.Recommender.load(tmp_path / "new")
    judge = getattr(again, "ranker", again)  # who gives the scores
    own = np.array([[0, 7, 11]])
    steps = judge.steps(Histories(own, np.array([3])), judge.tree)
    if isinstance(judge, Generative):
        assert isinstance(steps, WithNew)
    with torch.inference_mode():
        score = log_probabilities(steps, judge.tree.leaf_of_item[None], judge.tree)
    listed = dict(again.recommend(own, 100, exclude_history=False)[0])
    found = [listed[name] for name in again.catalogue.names]
    np.testing.assert_allclose(found, score[0], rtol=1e-4, atol=1e-4)


def test_a_new_item_is_as_probable_as_its_like(shop, tmp_path) -> None:
    for n, item in enumerate(NEW):
        new_items.add(shop.artefacts["retriever"], [item], tmp_path / str(n))
        again = lohrec.Recommender.load(tmp_path / str(n))
        *old, new = identifiers(tmp_path / str(n))[0].tolist()
        own = dict(again.recommend([shop.catalogue.names[:3]], 100, exclude_history=False)[0])
        p = np.exp([own[name] for name in again.catalogue.names])
        # Among those that share its known codewords, a leaf of each that the next one may be.
        depth = max(d for d in range(4) if new[:d] in [row[:d] for row in old])
        alike = [
            (row[depth], own)
            for row, own in zip(old, p, strict=False)
            if row[:depth] == new[:depth]
        ]
        means = [np.mean([own for code, own in alike if code == c]) for c in {c for c, _ in alike}]
        assert min(means) * 0.999 <= p[-1] <= max(means) * 1.001


def test_an_item_with_the_text_of_an_old_one_lands_beside_it(shop, tmp_path) -> None:
    model = Path(shop.artefacts["retriever"])
    old = identifiers(model)[0]
    twins = [n for n, title in enumerate(shop.catalogue.titles) if title == "red pad"]
    assert len(twins) == 4
    new = new_items.add(model, NEW[:1], tmp_path / "new")[0]
    assert new[:3].tolist() in old[twins, :3].tolist()
    # And so its vector is among the nearest to theirs.
    vectors = item_vectors(tmp_path / "new").astype(float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest = np.argsort(-vectors @ vectors[-1], kind="stable")
    assert set(nearest[1:4].tolist()) & set(twins)


def test_the_command_adds_items_of_any_file(shop, tmp_path, capsys) -> None:
    model, texts = shop.artefacts["retriever"], {}
    (tmp_path / "items.csv").write_text('item,title\n007,"<b>red</b> pad &amp; drum"\nzoë,\n')
    (tmp_path / "items.tsv").write_text("title\titem\nred pad & drum\t007\n\tzoë\n")
    line = {"item": "007", "title": ["red pad", "& drum"], "price": 3}
    (tmp_path / "items.jsonl").write_text(json.dumps(line) + '\n{"item": "zoë"}\n')
    for kind in ("csv", "tsv", "jsonl"):
        given = ["--items", str(tmp_path / f"items.{kind}"), "--output", str(tmp_path / kind)]
        assert main(["add-items", str(model), *given]) == 0
        printed, said = capsys.readouterr()
        texts[kind] = printed
        assert "2 items added, 1 of them without a text" in said
    assert texts["csv"] == texts["tsv"] == texts["jsonl"]
    name, identifier, title = texts["csv"].splitlines()[0].split("\t")
    assert (name, title) == ("007", "red pad & drum") and identifier.startswith("<a_")
    assert "2 of them added after" in shown(capsys, tmp_path / "csv")


def shown(capsys, folder: Path) -> str:
    assert main(["show", str(folder)]) == 0
    return capsys.readouterr().out


def test_what_cannot_be_added_is_refused(shop, tmp_path) -> None:
    model = shop.artefacts["retriever"]
    with pytest.raises(ValueError, match=r"1 items are known already, 'B001'"):
        new_items.add(model, [*NEW, NewItem("B001", "red", "")], tmp_path / "new")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    with pytest.raises(FileExistsError, match="not empty"):
        new_items.add(model, NEW, tmp_path / "full")
    with pytest.raises(ValueError, match="in the recommender's own folder"):
        new_items.add(model, NEW, f"{model}/second")
    shop.fit("popularity").save(tmp_path / "popularity")
    with pytest.raises(ValueError, match="'popularity', which learns each item"):
        new_items.add(tmp_path / "popularity", NEW, tmp_path / "new")
    without = {name: path for name, path in shop.artefacts.items() if name != "encoder"}
    other = tiny_shop.Shop(shop.folder, shop.catalogue, shop.train, shop.dev, without)
    other.fit("generative").save(tmp_path / "without")
    with pytest.raises(ValueError, match="has no folder encoder"):
        new_items.add(tmp_path / "without", NEW, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("i.csv", "thing,title\nA,b\n", "thing, title. New items need the column item"),
        ("i.csv", "asin,sku,title\nA,b,c\n", "the item may be any of asin, sku. Say which"),
        ("i.csv", "sku,price\nA,3\n", "price, sku. New items need the column item"),
        ("i.jsonl.gz", "no gzip", "is no gzip file"),
        pytest.param("i.jsonl", "x" * (2**24 + 1), "line 1: it has more than 16 MiB", id="endless"),
        ("i.csv", "item,title\nA,b\nA,c\n", "2 rows of 'A'"),
        ("i.csv", "item,title\n,b\n", "item 1: item is None"),
        ("i.csv", "item,title\n", "holds no items"),
        ("i.jsonl", '{"item": "A", "title": true}', "item 1: title is neither"),
        ("i.jsonl", '{"item": "A", ', "cannot be read"),
        ("i.jsonl", '{"item": "A", "title": "b"}\n{"item": "B", ', "read: line 2, column 15: "),
        ("i.jsonl", "[]", "must be an object"),
        ("i.csv", "item,title\nA,b,c\n", "cannot be read: found more fields than defined in"),
        ("i.parquet", "no such", "cannot be read"),
        ("i.xlsx", "", r"name it *.csv"),
    ],
)
def test_files_without_new_items_are_refused(tmp_path, name, text, said) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError) as caught:
        item_files.read(tmp_path / name)
    assert said in str(caught.value) and "truncate_ragged" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_the_first_item(tmp_path) -> None:
    for name, text in (("i.jsonl", '{"item": "A", "title": "b"}'), ("i.csv", "item,title\nA,b")):
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        assert item_files.read(tmp_path / name) == [NewItem("A", "b", "")]


def test_usual_names_of_columns_and_gzip_are_known(tmp_path) -> None:
    line = {"parent_asin": "B1", "title": None, "description": ["first part", "second"]}
    (tmp_path / "meta.jsonl.gz").write_bytes(gzip.compress(json.dumps(line).encode()))
    assert item_files.read(tmp_path / "meta.jsonl.gz") == [NewItem("B1", "", "first part second")]
    (tmp_path / "products.csv").write_text("sku,name,price\n007,Lamp,3\n")
    assert item_files.read(tmp_path / "products.csv") == [NewItem("007", "Lamp", "")]


def test_columns_of_items_can_be_named(tmp_path) -> None:
    path = tmp_path / "artikel.csv"
    path.write_text('Nr,sku,Bezeichnung,Text\n007,x,Lampe,"hell\nund warm"\n')
    named = {"item": "Nr", "title": "Bezeichnung", "description": "Text"}
    assert item_files.read(path, named) == [NewItem("007", "Lampe", "hell und warm")]
    with pytest.raises(ValueError, match=r"no column 'Name' for the title; there is: Bezeichnung,"):
        item_files.read(path, named | {"title": "Name"})
