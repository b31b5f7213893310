"""The beam search against transformers' `generate` and against the arithmetic (Algorithm 1); and
that of the compact network beside the T5's."""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch

from lohrec.benchmarks import arithmetic, clock
from lohrec.benchmarks.same_lists import leaves
from lohrec.benchmarks.transformers_t5 import Generate
from lohrec.common import devices, job_log
from lohrec.data.examples import Examples, length_batches, read_examples
from lohrec.identifiers.codewords import LEVELS, token_table
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.networks import CodewordNetwork
from lohrec.recommender.networks.compact import Compact
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.objective import objective
from lohrec.recommender.training import ONE_HOT
from lohrec.recommender.training_data import TrainingData, history_tokens

AnyNetwork = TypeVar("AnyNetwork", bound=CodewordNetwork)


def measure(
    sequences: str,
    examples: str,
    ids: str,
    path: str,
    network: dict[str, Any],
    compact: dict[str, Any],
    settings: dict[str, Any],
) -> None:
    """Decode the same users in turns; weights come from a short training.

    Untrained weights would rank by chance, and every rounding would change their lists.
    """
    semantic = np.load(ids).astype(np.int64)
    tree = PrefixTree.from_ids(semantic)
    torch.manual_seed(0)
    data = TrainingData(read_examples(sequences, examples, "train"), semantic)
    model = fitted(data, T5(network), settings["steps"])
    test = read_examples(sequences, examples, "test")
    table = token_table(semantic)
    histories = at_quantiles(test, table, settings["batch_size"], settings["batches"])
    users = sum(map(len, histories))
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder)
        generate = Generate(folder, semantic)

    def generated(beams: int) -> list[torch.Tensor]:
        return [generate(history, beams) for history in histories]

    rows = []
    for beams in settings["beams"]:
        search = partial(decode, model, histories, tree, beams)
        searches = {
            dtype: partial(search, bf16=precision == torch.bfloat16)
            for dtype, precision in clock.types().items()
        }
        rivals: dict[str, Callable[[], object]] = {"generate": partial(generated, beams)}
        for dtype, precision in clock.types().items():
            rivals[dtype] = searches[dtype]
            rivals[f"product {dtype}"], operations = clock.multiply(precision)
        seconds = clock.in_turns(rivals, settings["rounds"])
        lists = search()
        theirs = torch.cat(generated(beams))
        mine = torch.where(lists[..., None] < 0, -1, tree.identifiers(lists))
        mine = mine + torch.arange(LEVELS) * 256
        same = (mine == theirs).all((1, 2)).float().mean().item()
        queries = [1, *(beams,) * (LEVELS - 1)]
        work = sum(
            len(h)
            * (
                arithmetic.encoding(network, h.shape[1])
                + arithmetic.decoding(network, queries, h.shape[1])
            )
            for h in histories
        )
        for dtype in clock.types():
            floor = work * seconds[f"product {dtype}"] / operations
            line = clock.row(
                f"beam {beams}",
                dtype,
                1000 * seconds[dtype] / users,
                1000 * seconds["generate"] / users,
                1000 * floor / users,
                "ms a user",
            )
            line["products"] = clock.share_of_products(rivals[dtype])
            if dtype == "fp32":
                line["same_lists"] = same
            else:
                half = searches[dtype]()[:, :10]
                equal = (half == lists[:, :10]).all(1).float().mean().item()
                line["same_top_10"] = shared(half, lists[:, :10])
                line["same_ordered_top_10"] = equal
            rows.append(line)
        wall = clock.in_turns(
            {n: partial(with_threads, n, search) for n in (1, 2)},
            settings["rounds"],
            time.perf_counter,
        )
        two, one = (1000 * wall[n] / users for n in (2, 1))
        name = f"beam {beams}, two threads against one (wall clock)"
        rows.append(clock.row(name, "fp32", two, one, unit="ms a user"))
        rows[-1]["device"] = "CPU, 2 threads"
    larger = at_quantiles(test, table, settings["users"], settings["batches"], even=False)
    rows += beside_t5(model, data, larger, tree, compact, settings)
    clock.write(path, rows, users=users, items=len(semantic))


def beside_t5(
    t5: T5,
    data: TrainingData,
    histories: list[torch.Tensor],
    tree: PrefixTree,
    compact: dict[str, Any],
    settings: dict[str, Any],
) -> list[dict[str, Any]]:
    """A row for the compact network and one for half its width; the rival is the T5."""
    beams, users = settings["beams"][0], sum(map(len, histories))
    models: dict[int, CodewordNetwork] = {0: t5}
    for width in (compact["width"], compact["width"] // 2):
        model = Compact.new(compact | {"width": width}, torch.from_numpy(data.ids))
        models[width] = fitted(data, model, settings["steps"])
    searches = {w: partial(decode, model, histories, tree, beams) for w, model in models.items()}
    cost = {w: 1000 * s / users for w, s in clock.in_turns(searches, settings["rounds"]).items()}
    rival, rows = cost.pop(0), []
    for width, own in cost.items():
        name = f"compact network {width} wide, beam {beams}; rival: our T5"
        rows.append(clock.row(name, "fp32", own, rival, unit="ms a user"))
        rows[-1]["parameters"] = sum(p.numel() for p in models[width].parameters())
        rows[-1]["users_at_once"] = settings["users"]
    return rows


def fitted(data: TrainingData, model: AnyNetwork, steps: int) -> AnyNetwork:
    """The network after a few steps."""
    tree = PrefixTree.from_ids(data.ids)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    epoch = data.epoch(128, np.random.default_rng(0))[:steps]
    for rows in job_log.progress(epoch, "short training", unit="step"):
        with devices.autocast(torch.device("cpu"), "auto"):
            losses = objective(model, data.batch(rows), tree, ONE_HOT)
        optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        optimizer.step()
    return model.eval()


def at_quantiles(
    test: Examples, table: np.ndarray, size: int, count: int, even: bool = True
) -> list[torch.Tensor]:
    """`count` batches of histories as tokens, at the quantiles of all users' lengths.

    Args:
        even: whether the histories of a batch are of equal length, so that transformers needs no
            padding; else of like length, as in making lists.
    """
    batches = length_batches(test.length, size, np.random.default_rng(0))
    batches = [rows for rows in batches if not even or np.ptp(test.length[rows]) == 0]
    batches = sorted(batches, key=lambda rows: test.length[rows].mean())
    picks = np.linspace(0, len(batches) - 1, 2 * count + 1)[1::2].round().astype(int)
    return [history_tokens(test, batches[pick], table) for pick in picks]


def decode(
    model: CodewordNetwork,
    histories: list[torch.Tensor],
    tree: PrefixTree,
    beams: int,
    bf16: bool = False,
) -> torch.Tensor:
    """Lists of all histories, leaves (users, beams)."""
    with devices.autocast(torch.device("cpu"), bf16):
        leaf = [leaves(model, history, tree, beams) for history in histories]
    return torch.cat(leaf)


def with_threads(count: int, run: Callable[[], object]) -> None:
    """Run with so many threads."""
    torch.set_num_threads(count)
    run()
    torch.set_num_threads(1)


def shared(a: torch.Tensor, b: torch.Tensor) -> float:
    """Share of the leaves of b that are among those of a."""
    return (a[:, :, None] == b[:, None, :]).any(1).float().mean().item()
