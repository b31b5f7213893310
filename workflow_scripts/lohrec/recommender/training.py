"""Training the lightweight recommender: one decoder pass, generation and ranking loss (Eq. 16)."""

import copy
import math
import time
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from lohrec.common.checkpoints import Checkpoint, fingerprint, random_state, set_random_state
from lohrec.common.devices import autocast
from lohrec.common.job_log import progress
from lohrec.common.schedule import learning_rate
from lohrec.data.examples import Examples
from lohrec.identifiers.codewords import LEVELS, normalised
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender import candidate_tree, losses
from lohrec.recommender.decoding import recommend
from lohrec.recommender.gradients import Gradients
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.training_data import Batch, TrainingData

SETTINGS = {
    "warm_epochs": {
        "type": "number", "exclusiveMinimum": 0, "default": 20,
        "description": "The same as epochs, of a row that starts from another row's model.",
    },
    "warm_learning_rate": {
        "type": "number", "exclusiveMinimum": 0, "default": 0.0001,
        "description": "The same as learning_rate, of a row that starts from another row's model.",
    },
    "averaging": {
        "type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.0,
        "description": (
            "Decay a step of an exponential moving average of the weights; 0 takes the last "
            "weights."
        ),
    },
}  # fmt: skip


def objective(model: T5, batch: Batch, settings: dict) -> dict[str, Tensor]:
    """The losses of one batch.

    Args:
        settings: target ("one_hot", "smoothed" or "teacher"), generation and rank (weights of the
            two losses), smoothing, mixture, margin, reduction, ranked_target.

    Returns:
        "loss" (Eq. 16), "generation" and, where candidates are ranked, "rank".
    """
    full = batch.candidates.device.type != "cpu"  # shapes known without asking the device
    memory = model.encode(batch.history, batch.padded, batch.row, batch.length)
    scores, log_p = candidate_tree.score(model, memory, batch.candidates, full)
    first = torch.arange(LEVELS, device=scores.device) * model.first_code(1)
    code = batch.candidates[:, 0] + first

    target, true = settings["target"], log_p.gather(-1, code.unsqueeze(-1))
    if target == "one_hot":
        generation = -true.mean()
    elif target == "smoothed":
        wanted = losses.smoothed(code, log_p.shape[-1], settings["smoothing"])
        generation = losses.generation(log_p, wanted)
    else:
        generation = losses.generation(log_p, batch.teacher.float())
        if settings["mixture"]:
            generation = generation.lerp(-true.mean(), settings["mixture"])
    found = {"generation": generation, "loss": settings["generation"] * generation}
    if settings["rank"]:
        real = batch.real.clone()
        real[:, 0] &= settings["ranked_target"]
        rank = losses.margin_ranking(
            scores / LEVELS, real, settings["margin"], settings["reduction"]
        )
        found |= {"rank": rank, "loss": found["loss"] + settings["rank"] * rank}
    return found


def accuracy(
    model: T5,
    examples: Examples,
    ids: np.ndarray,
    tree: PrefixTree,
    decoding: dict,
    bf16: bool | str,
    retriever: T5 | None = None,
) -> dict[str, float]:
    """Recall@10 and NDCG@10 at the level of identifiers, to choose the best state.

    Args:
        retriever: finds the candidates, which `model` then only orders, as in a cascade.
    """
    rivals = (model,) if retriever is None else (retriever, model)
    with autocast(tree.item.device, bf16):
        leaf, _ = recommend(
            rivals[0], examples, ids, tree, {**decoding, "top": 10}, "dev set", *rivals[1:]
        )
    hit = (leaf == tree.leaf_of_item.cpu()[examples.target][:, None]).float()
    discount = 1 / torch.arange(2, 12).log2()
    return {"recall@10": hit.sum(1).mean().item(), "ndcg@10": (hit @ discount).mean().item()}


def train(
    data: TrainingData,
    dev: Examples,
    settings: dict,
    decoding: dict,
    seed: int,
    device: torch.device,
    start: T5 | None = None,
    checkpoint_path: str | Path | None = None,
    code: dict | None = None,
) -> tuple[T5, pa.Table]:
    """Train one recommender and return its best state on the dev set, with the history.

    Args:
        data: the train split.
        dev: dev examples; `settings["dev_users"]` of them, the same for every variant and seed,
            choose the best state by NDCG@10.
        settings: architecture, optimiser and objective; see config/config.yaml.
        decoding: settings of the beam search on the dev set.
        start: a trained model to start from, with its own length and learning rate of training.
            Where the generation loss has no weight, the model only orders candidates: then its
            states are compared by the order that they give to those of `start` (DTR, 3.2).
        checkpoint_path: where the run leaves its state after each evaluation.
        code: hashes of the program, so that no checkpoint outlives a change of it.

    Raises:
        ValueError: `start` is of another architecture than the settings.
        FloatingPointError: the loss is no longer finite.
    """
    torch.manual_seed(seed)
    model = (T5(settings) if start is None else copy.deepcopy(start)).to(device)
    wanted = {key: settings[key] for key in model.config}
    if model.config != wanted:
        differ = ", ".join(k for k in wanted if wanted[k] != model.config[k])
        raise ValueError(
            f"A row that starts from another row's model keeps its architecture, but {differ} "
            f"differ: {wanted} here, {model.config} there. Give both rows the same keys in "
            "`generator`."
        )
    retriever = start.to(device).eval() if start and not settings["generation"] else None
    tree = PrefixTree.from_ids(data.ids).to(device)
    rng = np.random.default_rng(0)
    sample = rng.choice(len(dev), min(settings["dev_users"], len(dev)), replace=False)
    dev = Examples(dev.sequences, dev.user[sample], dev.start[sample], dev.stop[sample])

    per_epoch = len(data.epoch(settings["batch_size"], np.random.default_rng(0)))
    warm = "warm_" if start else ""
    steps = max(1, round(settings[f"{warm}epochs"] * per_epoch))
    every = max(1, math.ceil(steps / settings["evaluations"]))
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": settings["weight_decay"]},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=settings[f"{warm}learning_rate"],
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate(step, steps, settings["warmup"])
    )
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{parameters / 1e6:.2f} M parameters, {len(data.examples)} examples, {steps} steps")

    checkpoint, state = None, None
    if checkpoint_path is not None:
        of_examples = [a for e in (data.examples, dev) for a in (e.start, e.stop)]
        arrays = [data.ids, np.asarray(data.examples.sequences), *of_examples]
        arrays += [a for a in (data.prior, data.teacher, data.labels) if a is not None]
        if start is not None:
            arrays += [p.detach().cpu().numpy() for p in start.parameters()]
        measured = {key: value for key, value in decoding.items() if key != "batch_size"}
        made_of = fingerprint([settings, measured, seed, code], *arrays)
        checkpoint = Checkpoint(checkpoint_path, made_of)
        state = checkpoint.load()
    done, rows, best, best_weights, waited, seconds = 0, [], -1.0, None, 0, 0.0
    if state:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        set_random_state(state["random"])
        done, rows, best, waited, seconds = (
            state[key] for key in ("step", "history", "best", "waited", "seconds")
        )
        best_weights = state["best_weights"]
        print(f"resuming at step {done}")

    # Rows that several examples share are of as many shapes as there are batches.
    gradients = Gradients(
        model,
        partial(objective, model, settings=settings),
        settings["clip"],
        settings["bf16"],
        graphs=not data.shared,
    )
    uniform = normalised(model.config["codewords"])
    sums, began = {}, time.monotonic()
    bar = progress(None, "training", total=steps, unit="step", initial=done)
    while done < steps and waited < settings["patience"]:
        epoch, first = divmod(done, per_epoch)
        order = np.random.default_rng([seed, epoch])
        for batch_rows in data.epoch(settings["batch_size"], order)[first:per_epoch]:
            model.train()
            found = gradients(data.batch(batch_rows))
            optimizer.step()
            schedule.step()
            done += 1
            bar.update()
            for name, value in found.items():
                sums[name] = sums.get(name, 0) + value
            if done % every and done != steps:
                continue
            model.eval()
            means = {name: float(value) / (done % every or every) for name, value in sums.items()}
            rate = optimizer.param_groups[0]["lr"]
            if not math.isfinite(means["loss"]):
                raise FloatingPointError(
                    f"The loss is {means['loss']} at step {done}. Lower the learning rate "
                    f"({rate}) or set generator.bf16 to false."
                )
            collapsed = means["generation"] > 0.95 * math.log(uniform)
            if rows and settings["rank"] and settings["generation"] and collapsed:
                print(
                    f"WARNING: L_gen is {means['generation']:.2f}, near ln {uniform}: the ranking "
                    f"loss is driving the model to uniform probabilities. Lower rank "
                    f"({settings['rank']}) or use reduction: mean."
                )
            found = accuracy(model, dev, data.ids, tree, decoding, settings["bf16"], retriever)
            spent = seconds + time.monotonic() - began
            rows.append({"step": done, "seconds": spent, "learning_rate": rate, **means})
            rows[-1] |= {f"dev_{name}": value for name, value in found.items()}
            print(", ".join(f"{k} {v:.4g}" for k, v in rows[-1].items()), flush=True)
            bar.set_postfix(loss=means["loss"], recall=found["recall@10"])
            sums = {}
            waited += 1
            if found["ndcg@10"] > best:
                best, waited = found["ndcg@10"], 0
                best_weights = {k: v.detach().clone().cpu() for k, v in model.state_dict().items()}
            if checkpoint:
                checkpoint.save(
                    {
                        "model": model.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "schedule": schedule.state_dict(),
                        "random": random_state(),
                        "step": done,
                        "history": rows,
                        "best": best,
                        "waited": waited,
                        "seconds": spent,
                        "best_weights": best_weights,
                    }
                )
            if done == steps or waited == settings["patience"]:
                break
    bar.close()
    model.load_state_dict(best_weights)
    return model.eval(), pa.Table.from_pylist(rows)
