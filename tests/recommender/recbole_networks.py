"""Scores of networks of RecBole; run by the Python of an environment that has it.

python recbole_networks.py FOLDER ..., each with task.json (model, config, items, attributes,
window) and arrays.npz (the weights by RecBole's names, and `sequences`); leaves scores.npy there.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset
from recbole.utils import get_model


def compute(folder: Path) -> None:
    task = json.loads((folder / "task.json").read_text())
    items, attributes = task["items"], task["attributes"]  # one list of numbers an attribute
    names = [f"attribute_{number}" for number in range(len(attributes))]

    (folder / "tiny").mkdir()
    lines = ["user_id:token\titem_id:token\ttimestamp:float"]
    lines += [f"0\t{item}\t{item}" for item in range(items)]
    (folder / "tiny/tiny.inter").write_text("\n".join(lines))
    lines = ["\t".join(["item_id:token", *(f"{name}:token" for name in names)])]
    lines += ["\t".join(map(str, row)) for row in zip(range(items), *attributes, strict=True)]
    (folder / "tiny/tiny.item").write_text("\n".join(lines))

    settings = {
        "data_path": str(folder),
        "MAX_ITEM_LIST_LENGTH": task["window"],
        "load_col": {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id", *names]},
        "selected_features": names,
        "train_neg_sample_args": None,
        "loss_type": "CE",
        "use_gpu": False,
        "state": "ERROR",
    }
    config = Config(model=task["model"], dataset="tiny", config_dict=settings | task["config"])
    dataset = create_dataset(config)
    dataset._change_feat_format()  # as FDSA finds it
    assert dataset.item_num == items + 1
    assert [dataset.token2id("item_id", str(i)) for i in range(items)] == list(range(1, items + 1))

    model = get_model(task["model"])(config, dataset).eval()
    arrays = dict(np.load(folder / "arrays.npz"))
    sequences = torch.from_numpy(arrays.pop("sequences"))
    weights = model.state_dict()
    for name, value in arrays.items():
        value = torch.from_numpy(value)
        if "token_embedding_table" in name:
            # Attributes have the numbers in which they first come, a field after another.
            first, table = 0, weights[name].clone()
            for field, own in zip(names, value, strict=True):
                for number in range(dataset.num(field) - 1):
                    table[first + dataset.token2id(field, str(number))] = own[number]
                first += dataset.num(field)
            value = table
        assert weights[name].shape == value.shape, (name, weights[name].shape, value.shape)
        weights[name] = value
    missing = [
        n for n in weights if n not in arrays and n.split(".")[0] not in ("loss_fct", "reg_loss")
    ]
    assert missing == task["zero"], missing
    for name in task["zero"]:
        weights[name] = torch.zeros_like(weights[name])
    model.load_state_dict(weights)

    length = (sequences > 0).sum(1)
    with torch.no_grad():
        if task["model"] == "BERT4Rec":
            # It drops the first item, to keep the length: here the network alone is asked.
            rows = torch.arange(len(sequences))
            sequences[rows, length] = items + 1
            state = model.forward(sequences)[rows, length]
            scores = state @ model.item_embedding.weight[: items + 1].T + model.output_bias
        else:
            user = torch.zeros(len(sequences), dtype=torch.int64)
            asked = {"item_id_list": sequences, "item_length": length, "user_id": user}
            scores = model.full_sort_predict(asked)
    np.save(folder / "scores.npy", scores[:, 1:].numpy())


folders = [Path(folder) for folder in sys.argv[1:]]
del sys.argv[1:]  # which RecBole would read
for folder in folders:
    compute(folder)
