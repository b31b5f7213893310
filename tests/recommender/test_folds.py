"""Users are taught by what has not learned from them."""

import json

import numpy as np
import pytest
import tiny_shop
import torch

from lohrec.identifiers import store
from lohrec.identifiers.codewords import LEVELS
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender import lessons
from lohrec.recommender.inputs import Inputs
from lohrec.recommender.recommender import Histories, Recommender

FOLDS = 3
CPU = {"count": 0, "memory_gb": 0}


def test_each_fold_is_taught_by_the_fit_without_it(shop, tmp_path):
    import fit
    import teach

    common = [str(shop.folder / name) for name in ("sequences.npy", "examples")]
    statistics = tmp_path / "statistics.json"
    statistics.write_text(json.dumps({"repeats": 1}))
    settings = {"recommender": "ease", "history": 20, "penalty": 5.0}
    decoding = tiny_shop.DECODING | {"exclude_history": False}
    models = []
    for fold in range(FOLDS):
        models.append(str(tmp_path / f"{fold}/model/recommender.json"))
        made = [settings, decoding, 8, "shop", "ease", 0, {}, CPU, 1]
        fit.main(shop.files(statistics), models[-1], *made, fold, FOLDS)

    ids = shop.artefacts["ids"]
    taught = tmp_path / "probabilities.npy"
    given = {"exclude_history": False, "bf16": False}
    rest = [str(statistics), str(taught), "probabilities", given, 16, {}, CPU, 1]
    teach.main(models, *common, ids, *rest)

    found, tree = np.load(taught), PrefixTree.from_ids(store.load_ids(ids))
    assert found.shape == (len(shop.train), LEVELS, 256)
    for fold in range(FOLDS):
        mine = np.flatnonzero(shop.train.user % FOLDS == fold)
        histories = Histories(shop.train.histories(mine).astype(np.int64), shop.train.length[mine])
        target = torch.from_numpy(store.load_ids(ids)[shop.train.target[mine]])
        for number in range(FOLDS):
            steps = Recommender.load(models[number]).steps(histories, tree)
            wanted = lessons.probabilities(steps, target, tree).numpy()
            same = np.allclose(found[mine], wanted, atol=1e-3)
            assert same == (number == fold)
        others = shop.train.without_fold(fold, FOLDS)
        assert not set(others.user) & set(shop.train.user[mine])
        assert set(others.user) | set(shop.train.user[mine]) == set(shop.train.user)
        # What a fit without them is tuned on are dev items of theirs, not of users it knows.
        read = shop.files(statistics), 20, decoding, torch.device("cpu"), tmp_path, {}
        inputs = Inputs.read(*read, without=(fold, FOLDS))
        assert set(inputs.train.user) == set(others.user)
        assert set(inputs.dev.user) == set(shop.dev.user) - set(others.user)


def test_without_the_only_fold_no_user_is_left(shop):
    with pytest.raises(ValueError, match="No users are left without fold 0 of 1"):
        shop.train.without_fold(0, 1)
