"""Training, decoding and the teacher on a GPU, with Python, torch and transformers alone.

The data is simulated with the shape of the Games set: 50,546 users, 16,859 items, 452,989
interactions.
"""

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from lohrec.benchmarks import arithmetic, clock
from lohrec.benchmarks.transformers_t5 import Generate, padded_loss, transformers_model
from lohrec.common.gradients import Gradients
from lohrec.data.examples import Examples
from lohrec.identifiers.beam_search import beam_search
from lohrec.identifiers.codewords import CODES, LEVELS, tokens
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.objective import objective
from lohrec.recommender.training_data import TrainingData
from lohrec.teacher import memory_plan, sequence_packing
from lohrec.teacher.beams import generate_beams
from lohrec.teacher.model import build_llama
from lohrec.teacher.probabilities import answer_logits, codeword_probabilities
from lohrec.teacher.prompts import CodewordPrompts

Size = dict[str, Any]  # an entry of SIZES
PAPER = {
    "d_model": 384, "d_ff": 1024, "heads": 6, "d_kv": 64, "layers": 4, "decoder_layers": 4,
    "dropout": 0.1, "codewords": "all", "causal_encoder": False, "recency": False,
}  # fmt: skip
# 12 layers: 100 M parameters.
LLAMA = {"kind": "scratch", "hidden": 768, "layers": 12, "heads": 12, "intermediate": 2560}
SIZES = {
    "games": {
        "users": 50546,
        "items": 16859,
        "batch": 256,
        "steps": 100,
        "network": PAPER,
        "teacher": LLAMA,
        "prompts": 512,
        "row_tokens": 2048,
        "rows": 8,
        "words": 32000,
        "product": 8192,
    },
    "tiny": {
        "users": 60,
        "items": 300,
        "batch": 8,
        "steps": 2,
        "network": PAPER
        | {"d_model": 32, "d_ff": 64, "heads": 2, "d_kv": 16, "layers": 1, "decoder_layers": 1},
        "teacher": LLAMA | {"hidden": 32, "layers": 1, "heads": 2, "intermediate": 64},
        "prompts": 16,
        "row_tokens": 64,
        "rows": 2,
        "words": 500,
        "product": 128,
    },
}
OBJECTIVE = {
    "loss": "distilled", "generation": 1.0, "ranking": 1.0,
    "losses": {
        "distilled": {"mixture": 0.0, "temperature": 1.0},
        "margin_ranking": {"margin": 0.001, "reduction": "mean", "ranked_target": True},
    },
}  # fmt: skip


def measure(output: str, device: torch.device, size: Size) -> None:
    """Measure everything and write it."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    ids = distinct(size["items"], rng)
    # 8.96 items a user, as in Games.
    count = np.minimum(5 + rng.geometric(1 / 4.96, size["users"]) - 1, 60)
    sequences = rng.integers(0, size["items"], count.sum()).astype(np.int32)
    train, test = split(sequences, count)
    rate = product_rate(device, size["product"])
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    line = partial(clock.row, dtype="bf16")
    rows = [line("matrix product", ours=rate / 1e12, unit="TFLOP/s")]

    seconds, work = dwr_epoch(train, ids, size, device)
    rival = rival_epoch(train, ids, size, device)
    cost: dict[str, Any] = {"ours": 200 * seconds, "rival": 200 * rival, "floor": 200 * work / rate}
    rows.append(line("DWR, 200 epochs; rival: plain steps", **cost))
    rows[-1]["examples"] = len(train)
    seconds, rival, work = decode_all(test, ids, size, device)
    cost = {"ours": seconds, "rival": rival, "floor": work / rate}
    rows.append(line("all test users, beam 20; floor of bf16", **cost, dtype="fp32"))  # or TF32
    rows[-1]["users"] = len(test)
    rows += [line(what, ours=s) for what, s in teach(train, ids, size, device).items()]
    rows += packed_step(size, device, rate, line)
    for row in rows:
        row["device"] = name
    clock.write(output, rows)


def distinct(items: int, rng: np.random.Generator) -> np.ndarray:
    """Random identifiers, no two alike, int64 (items, levels)."""
    number = rng.choice(CODES**LEVELS, items, replace=False)
    return np.stack([number // CODES**d % CODES for d in reversed(range(LEVELS))], 1)


def split(sequences: np.ndarray, count: np.ndarray) -> tuple[Examples, Examples]:
    """Train and test examples by leave-one-out, histories of at most 20 items."""
    first, user = np.cumsum(count) - count, np.arange(len(count))
    owner = np.repeat(user, count - 3)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(count - 3) - (count - 3), count - 3)

    def windows(who: np.ndarray, stop: np.ndarray) -> Examples:
        return Examples(sequences, who.astype(np.int32), np.maximum(first[who], stop - 20), stop)

    return windows(owner, first[owner] + 1 + place), windows(user, first + count - 1)


def product_rate(device: torch.device, size: int) -> float:
    """Operations a second of a bf16 matrix product."""
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * size**3 / timed(lambda: a @ b, device, 20)


def timed(run: Callable[[], object], device: torch.device, times: int) -> float:
    """Seconds a run, after three for warm-up; the device is waited for at both ends only."""
    for _ in range(3):
        run()
    wait(device)
    began = time.perf_counter()
    for _ in range(times):
        run()
    wait(device)
    return (time.perf_counter() - began) / times


def wait(device: torch.device) -> None:
    """Until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def dwr_epoch(
    train: Examples, ids: np.ndarray, size: Size, device: torch.device
) -> tuple[float, int]:
    """Seconds and operations of an epoch of DWR steps, from steps at every length of histories.

    Making the batches and copying them to the device is part of it. Candidates and the teacher's
    probabilities are random.
    """
    model = T5(size["network"]).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, fused=True)
    tree = PrefixTree.from_ids(ids).to(device)
    loss = partial(objective, model, tree=tree, settings=OBJECTIVE)
    gradients = Gradients(model, loss, clip=1.0, bf16=True, graphs=True)
    rng = np.random.default_rng(0)
    prior = rng.integers(0, len(ids), (len(train), 16)).astype(np.int32)
    teacher = rng.dirichlet(np.ones(LEVELS * CODES), LEVELS).astype(np.float16)
    teacher = np.broadcast_to(teacher, (len(train), *teacher.shape))
    data = TrainingData(train, ids, prior, teacher)
    seconds, work = 0.0, 0
    queries = [1, *(16,) * (LEVELS - 1)]  # trees of a fixed shape
    for length in np.unique(train.length):
        rows = np.flatnonzero(train.length == length)
        batches = itertools.cycle(np.split(np.resize(rows, (8, size["batch"])), 8))

        def step(batches: Iterator[np.ndarray] = batches) -> None:
            gradients(data.batch(next(batches)[0]))
            optimizer.step()

        model.train()
        seconds += timed(step, device, size["steps"]) * len(rows) / size["batch"]
        each = arithmetic.training_step(size["network"], queries, LEVELS * int(length))
        work += len(rows) * each
        print(f"histories of {length}: {len(rows)} examples", flush=True)
    return seconds, work


def rival_epoch(train: Examples, ids: np.ndarray, size: Size, device: torch.device) -> float:
    """Seconds of an epoch of transformers' plain steps, histories padded to 80 tokens."""
    model = transformers_model(size["network"]).to(device).train()
    rows = np.random.default_rng(0).permutation(len(train))[: size["batch"]]
    batch = TrainingData(train, ids).batch(rows).to(device)
    step = clock.descend(model, lambda: padded_loss(model, batch), bf16=True)
    return timed(step, device, size["steps"]) * len(train) / len(rows)


def decode_all(
    test: Examples, ids: np.ndarray, size: Size, device: torch.device
) -> tuple[float, float, int]:
    """Seconds to decode every test user once, those of `generate`, and operations.

    Users come in batches of equal length; `generate` is measured on some of them and scaled.
    """
    config = size["network"]
    model, tree = T5(config).to(device).eval(), PrefixTree.from_ids(ids).to(device)
    batches, work = [], 0
    for length in np.unique(test.length):
        rows = np.flatnonzero(test.length == length)
        history = tokens(torch.from_numpy(ids[test.histories(rows)])).flatten(1).to(device)
        batches += history.split(4096)
        each = arithmetic.encoding(config, history.shape[1])
        each += arithmetic.decoding(config, [1, 20, 20, 20], history.shape[1])
        work += each * len(rows)

    def run() -> None:
        for history in batches:
            beam_search(model.steps(history, padded=False), tree, 20)

    with tempfile.TemporaryDirectory() as folder:
        model.save(folder)
        generate = Generate(folder, ids)
    generate.model.to(device)
    some = [batches[i][:64] for i in np.linspace(0, len(batches) - 1, 4).astype(int)]
    share = sum(map(len, some)) / len(test)
    generate(some[0], 20)  # for warm-up, as ours has it
    began = time.perf_counter()
    for history in some:
        generate(history, 20)
    return timed(run, device, 1), (time.perf_counter() - began) / share, work


def teach(train: Examples, ids: np.ndarray, size: Size, device: torch.device) -> dict[str, float]:
    """Seconds for the teacher's candidates and probabilities of all train examples.

    Measured on batches at quantiles of the histories' lengths and scaled to all.
    """
    network = build_llama(size["teacher"] | {"dropout": 0.0, "seed": 0}).to(device).eval()
    prompts = CodewordPrompts(train, ids)
    parts = prompts.batches(size["prompts"])
    parts = [parts[i] for i in np.linspace(0, len(parts) - 1, min(8, len(parts))).astype(int)]

    def beams() -> None:
        with torch.autocast(device.type, torch.bfloat16):
            for part in parts:
                batch = prompts.batch(part, with_answers=False).to(device)
                generate_beams(network, batch, 25, prompts.first).codewords.cpu()

    @torch.inference_mode()
    def probabilities() -> None:
        for part in parts:
            logits = answer_logits(network, prompts.batch(part, with_answers=True).to(device))
            codeword_probabilities(logits, "all").half().cpu()

    share = sum(len(prompts.windows.examples_of(part)[0]) for part in parts) / len(train)
    return {
        "teacher's candidates of all train examples": timed(beams, device, 2) / share,
        "teacher's probabilities of all train examples": timed(probabilities, device, 2) / share,
    }


def packed_step(
    size: Size,
    device: torch.device,
    rate: float,
    line: Callable[..., dict[str, Any]],
) -> list[dict[str, Any]]:
    """A training step of a teacher with words, on full rows of samples, and its memory."""
    settings = size["teacher"] | {"dropout": 0.0, "seed": 0}
    network = build_llama(settings)
    network.resize_token_embeddings(size["words"] + LEVELS * CODES, mean_resizing=False)
    network.to(device).train()
    rng, row, rows = np.random.default_rng(0), size["row_tokens"], size["rows"]
    words = network.config.vocab_size
    short = row // 16
    draws = (rng.integers(0, words, short) for _ in range(16 * rows))
    samples = [sequence_packing.Sample(tokens, short * 2 // 3) for tokens in draws]
    filled = sequence_packing.fill_rows(np.full(len(samples), short), row)
    packed = sequence_packing.pack(samples, filled)
    step = clock.descend(network, lambda: sequence_packing.loss(network, packed), bf16=True)
    tokens, answers = packed.tokens.numel(), int(packed.answer.sum())
    planned = memory_plan.of_network(
        network, memory_plan.Step(tokens, row, answers, checkpointing=False, bf16=True)
    )
    held = 0
    if device.type == "cuda":
        torch.cuda.empty_cache()
        held = torch.cuda.memory_allocated() - sum(p.nbytes for p in network.parameters())
        torch.cuda.reset_peak_memory_stats()
    seconds = timed(step, device, size["steps"] // 2)
    inner = sum(p.numel() for p in network.base_model.layers.parameters())
    # Six operations a weight and token; the head meets the answers only.
    work = 6 * (inner * tokens + words * settings["hidden"] * answers)
    rows = [line(f"teacher's training, {tokens:,} tokens", ours=seconds, floor=work / rate)]
    rows[-1]["tokens_per_second"] = tokens / seconds
    rows[-1]["parameters"] = sum(p.numel() for p in network.parameters())
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated() - held
        rows.append(line("its memory", ours=peak / 1e9, unit="GB"))
        rows[-1]["planned"] = sum(planned.values()) / 1e9
    return rows
