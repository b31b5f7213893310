"""Training the teacher on the codewords of its users' training sequences (Section 4.2)."""

import itertools
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import LlamaForCausalLM

from lohrec import teacher
from lohrec.checkpoints import Checkpoint, fingerprint
from lohrec.devices import autocast
from lohrec.examples import Examples
from lohrec.joblog import progress
from lohrec.prefix_tree import PrefixTree
from lohrec.teacher import LEVELS, Windows
from lohrec.teacher_beams import next_items

# A user longer than the longest history gets a window at every so many items.
STRIDE = 10


def train(
    examples: Examples,
    dev: Examples,
    ids: np.ndarray,
    settings: dict,
    device: torch.device,
    checkpoint_path: str | Path | None = None,
    code: dict | None = None,
) -> tuple[LlamaForCausalLM, pa.Table]:
    """Train a teacher and return its best state on the dev set, with the history.

    A user's training sequence is one row: every position after the first item is a target, and
    all are predicted at once. Nothing after the last train target is read.

    Args:
        examples: the train split.
        dev: dev examples; `settings["dev_users"]` of them choose the best state by NDCG@10.
        ids: int (items, 4).
        settings: architecture and optimiser, see config/config.yaml; `batch_size` is in targets.
        checkpoint_path: where the run leaves its state after each evaluation.
        code: hashes of the program, so that no checkpoint outlives a change of it.

    Raises:
        FloatingPointError: the loss is no longer finite.
    """
    model = teacher.build(settings).to(device)
    hooks = add_dropout(model, settings["dropout"])
    table = teacher.token_table(ids)
    tree = PrefixTree.from_ids(ids).to(device)
    windows = Windows.of(examples, STRIDE)
    dev = _sample(dev, settings["dev_users"])

    size, seed = settings["batch_size"], settings["seed"]
    steps = max(1, round(settings["epochs"] * len(windows.batches(size))))
    every = max(1, round(steps / settings["evaluations"]))
    optimizer = torch.optim.AdamW(
        [
            {
                "params": [p for p in model.parameters() if p.ndim > 1],
                "weight_decay": settings["weight_decay"],
            },
            {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0},
        ],
        lr=settings["learning_rate"],
        betas=(0.9, 0.98),
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate(step, steps, settings["warmup"])
    )
    print(
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, "
        f"{len(examples):,} targets in {len(windows):,} windows, {steps:,} steps"
    )

    checkpoint, state = None, None
    if checkpoint_path is not None:
        made_of = fingerprint([settings, code], ids, examples.stop, np.asarray(examples.sequences))
        checkpoint = Checkpoint(checkpoint_path, made_of)
        state = checkpoint.load()
    done, rows, best, best_weights, waited, seconds = 0, [], -1.0, None, 0, 0.0
    if state:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        _set_random_state(state["random"])
        done, rows, best, best_weights, waited, seconds = (
            state[key] for key in ("step", "history", "best", "best_weights", "waited", "seconds")
        )
        print(f"resuming at step {done:,}")

    total, began = torch.zeros((), device=device), time.monotonic()
    bar = progress(None, "training the teacher", total=steps, unit="step", initial=done)
    remaining = itertools.islice(_epochs(windows, size, seed), done, steps)
    while waited <= settings["patience"] and (batch := next(remaining, None)) is not None:
        model.train()
        with autocast(device, settings["bf16"]):
            value = loss(model, windows, batch, table)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings["clip"])
        optimizer.step()
        schedule.step()
        total += value.detach()
        done += 1
        bar.update()
        if done % every and done != steps:
            continue
        mean = float(total) / (done % every or every)
        total.zero_()
        if not math.isfinite(mean):
            raise FloatingPointError(
                f"The loss is {mean} at step {done}. Lower teacher.learning_rate "
                f"({settings['learning_rate']}) or set teacher.bf16 to false."
            )
        found = accuracy(model.eval(), dev, table, tree, settings["bf16"])
        spent = seconds + time.monotonic() - began
        rate = optimizer.param_groups[0]["lr"]
        rows.append({"step": done, "seconds": spent, "learning_rate": rate, "loss": mean})
        rows[-1] |= {f"dev_{name}": figure for name, figure in found.items()}
        print(", ".join(f"{k} {v:.4g}" for k, v in rows[-1].items()), flush=True)
        bar.set_postfix(loss=mean, recall=found["recall@10"])
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
                    "random": _random_state(),
                    "step": done,
                    "history": rows,
                    "best": best,
                    "best_weights": best_weights,
                    "waited": waited,
                    "seconds": spent,
                }
            )
    bar.close()
    model.load_state_dict(best_weights)
    for hook in hooks:
        hook.remove()
    return model.eval(), pa.Table.from_pylist(rows)


def loss(model: LlamaForCausalLM, windows: Windows, rows: np.ndarray, table: np.ndarray) -> Tensor:
    """Mean cross-entropy of every target's codewords in the windows `rows` (Eq. 8).

    The softmax runs over the whole vocabulary. Over the level's codewords it would cost a little
    less, but unconstrained decoding would then choose among tokens that were never compared.
    """
    logits, tokens = teacher.target_logits(model, windows, rows, table)
    return F.cross_entropy(logits.float().flatten(0, 1), tokens.flatten())


@torch.inference_mode()
def accuracy(
    model: LlamaForCausalLM, dev: Examples, table: np.ndarray, tree: PrefixTree, bf16: bool | str
) -> dict[str, float]:
    """Mean loss a codeword and, at the level of identifiers, Recall@10 and NDCG@10."""
    leaf_of_item = tree.leaf_of_item()
    windows = Windows.of(dev)
    summed, hits = 0.0, []
    for rows in windows.batches(256):
        example, _ = windows.examples_of(rows)
        tokens = teacher.prompts(dev.histories(example), table).to(model.device)
        length = torch.from_numpy(1 + LEVELS * dev.length[example]).to(model.device)
        target = torch.from_numpy(dev.target[example].astype(np.int64)).to(model.device)
        with autocast(model.device, bf16):
            summed += loss(model, windows, rows, table).item() * len(rows)
            leaf, _ = next_items(model, tokens, length, 20, tree)
        hits.append(leaf[:, :10] == leaf_of_item[target].unsqueeze(1))
    hit = torch.cat(hits).float().cpu()
    discount = 1 / torch.arange(2, 2 + hit.shape[1]).log2()
    return {
        "loss": summed / len(dev),
        "recall@10": hit.sum(1).mean().item(),
        "ndcg@10": (hit @ discount).mean().item(),
    }


def add_dropout(model: LlamaForCausalLM, share: float) -> list[torch.utils.hooks.RemovableHandle]:
    """Drop embeddings and what each block adds to the residual stream, in training mode.

    transformers' LLaMA has dropout on attention weights only, too little for sets of this size.
    Returns the hooks, to be removed after training.
    """

    def drop(module: torch.nn.Module, _: tuple, output: Tensor) -> Tensor:
        return F.dropout(output, share, module.training)

    modules = [model.model.embed_tokens]
    for layer in model.model.layers:
        modules += [layer.self_attn.o_proj, layer.mlp.down_proj]
    return [module.register_forward_hook(drop) for module in modules]


def learning_rate(step: int, steps: int, warmup: float) -> float:
    """Factor of the learning rate: linear warm-up over a share of the steps, then a cosine to 0."""
    begin = max(1, round(warmup * steps))
    if step < begin:
        return (step + 1) / begin
    return 0.5 * (1 + math.cos(math.pi * (step - begin) / max(1, steps - begin)))


def _epochs(windows: Windows, targets: int, seed: int) -> Iterator[np.ndarray]:
    for epoch in itertools.count():
        yield from windows.batches(targets, np.random.default_rng([seed, epoch]))


def _sample(examples: Examples, users: int) -> Examples:
    rows = np.random.default_rng(0).choice(len(examples), min(users, len(examples)), replace=False)
    rows.sort()
    return Examples(
        examples.sequences, examples.user[rows], examples.start[rows], examples.stop[rows]
    )


def _random_state() -> dict:
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _set_random_state(state: dict) -> None:
    torch.set_rng_state(state["cpu"])
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"])
