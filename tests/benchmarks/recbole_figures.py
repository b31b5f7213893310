"""RecBole's NDCG@10 of scores that are given; run by the Python of an environment that has it.

python recbole_figures.py reads what the race writes for RecBole, and given.npz (read and next, both
(items, width)), in the current folder: the score of item i after a history is the sum of its items'
rows of `read`, each times its place from 1 on, times row i of `next`. It leaves figure.json.
"""

import json
from pathlib import Path

import numpy as np
import torch
from race_recbole import prepared
from recbole.trainer import Trainer


class Given(torch.nn.Module):
    def __init__(self, dataset):
        super().__init__()
        given = np.load("given.npz")
        number = [dataset.token2id("item_id", str(item)) for item in range(len(given["read"]))]
        for name in ("read", "next"):
            table = torch.zeros(dataset.item_num, given[name].shape[1])
            table[number] = torch.from_numpy(given[name])
            setattr(self, name, torch.nn.Parameter(table))

    def full_sort_predict(self, interaction):
        items = interaction["item_id_list"]
        place = torch.arange(1, items.shape[1] + 1)
        return (place.unsqueeze(1) * self.read[items]).sum(1) @ self.next.T


config, train, dev = prepared()
found = Trainer(config, Given(train._dataset)).evaluate(dev, load_best_model=False)
Path("figure.json").write_text(json.dumps(dict(found)))
