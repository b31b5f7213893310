"""SASRec as RecBole's own program trains it; run by the Python of an environment that has RecBole.

python race_recbole.py reads settings.json (RecBole's settings) and race/race.inter in the current
folder. It prints lines of JSON: what RecBole made of the data, then the figures of each epoch.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed


def prepared() -> tuple[Any, Any, Any]:
    """RecBole's configuration, and its loaders of the train and of the dev split."""
    settings = json.loads(Path("settings.json").read_text())
    config = Config(model="SASRec", dataset="race", config_dict=settings)
    init_seed(config["seed"], config["reproducibility"])
    train, dev, _ = data_preparation(config, create_dataset(config))
    return config, train, dev


def main() -> None:
    """Train until RecBole stops by itself."""
    figures = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what else is printed is no figure
    config, train, dev = prepared()
    data = train._dataset
    counts = {"users": data.user_num - 1, "items": data.item_num - 1}  # without padding
    counts |= {"train": len(data), "dev": len(dev._dataset), "threads": torch.get_num_threads()}
    print(json.dumps(counts), file=figures)
    model = get_model(config["model"])(config, data)
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    began, busy = time.perf_counter(), time.process_time()

    def tell(epoch: int, ndcg: float) -> None:
        took = time.perf_counter() - began, time.process_time() - busy
        row = {"epoch": epoch + 1, "seconds": took[0], "processor": took[1], "ndcg": ndcg}
        print(json.dumps(row), file=figures)

    trainer.fit(train, dev, saved=False, show_progress=False, callback_fn=tell)


if __name__ == "__main__":
    del sys.argv[1:]  # which RecBole would read
    main()
