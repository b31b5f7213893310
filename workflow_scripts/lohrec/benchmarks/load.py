"""`lohrec serve` under load: many clients, each of which asks again as soon as it is answered.

python -m lohrec.benchmarks.load MODEL starts a server of its own, and prints a table.
"""

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lohrec.common.provenance import processor
from lohrec.data.catalogue import Catalogue
from lohrec.evaluation import tables
from lohrec.recommender.places import home
from lohrec.recommender.recommender import ITEMS

LENGTH = 8  # items of a history at most


def main() -> int:
    """Run the command; the exit status: 1 where a request failed."""
    parser = argparse.ArgumentParser(prog="python -m lohrec.benchmarks.load", description=__doc__)
    parser.add_argument("model", metavar="MODEL", help="the folder of a recommender")
    parser.add_argument("--clients", type=int, default=50, help="at once (50)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (60)")
    given = parser.parse_args()
    names = Catalogue.load(home(given.model) / ITEMS).names
    with serving(given.model) as (port, process):
        before = busy(process)
        found = measure(port, names, given.clients, given.seconds)
        spent = 1000 * (busy(process) - before) / max(found["requests"], 1)
    found["processor, ms a request"] = spent  # of the server, whatever else the machine runs
    print(f"{processor()}, the clients on the same; {given.clients} clients, {given.seconds:g} s\n")
    shown = {
        name: f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for name, value in found.items()
    }
    print(tables.markdown(list(shown), [list(shown.values())]))
    return int(found["errors"] > 0)


@contextmanager
def serving(model: str) -> Iterator[tuple[int, int]]:
    """The port and the number of a process that serves `model`.

    Raises:
        ValueError: the server ended before it answered.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [sys.executable, "-m", "lohrec", "serve", model, "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            while not _healthy(port):
                if server.poll() is not None:
                    raise ValueError(f"The server of {model} ended; see above.")
                time.sleep(0.1)
            yield port, server.pid
        finally:
            server.terminate()


def busy(process: int) -> float:
    """Seconds of the processor that a process has used (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(port: int, names: list[str], clients: int, seconds: float) -> dict[str, float]:
    """Ask for lists with explanations, as the page does, of drawn histories.

    Returns:
        requests, errors (answers other than 200, and none at all), requests a second, and the
        quantiles of an answer's time in ms, by the names of the table's columns.
    """
    end = time.perf_counter() + seconds
    with ThreadPoolExecutor(clients) as pool:
        began = time.perf_counter()
        every = list(pool.map(lambda seed: _client(port, names, seed, end), range(clients)))
        took = time.perf_counter() - began
    times = 1000 * np.concatenate([one for one, _ in every])
    p50, p95, p99 = np.quantile(times, [0.5, 0.95, 0.99]) if len(times) else [np.nan] * 3
    return {
        "requests": float(len(times)),
        "errors": float(sum(errors for _, errors in every)),
        "requests/s": len(times) / took,
        "p50, ms": float(p50),
        "p95, ms": float(p95),
        "p99, ms": float(p99),
        "longest, ms": float(times.max(initial=0)),
    }


def _client(port: int, names: list[str], seed: int, end: float) -> tuple[np.ndarray, int]:
    """Seconds of each good answer, and how many were not."""
    rng, seconds, errors = np.random.default_rng(seed), list[float](), 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while (began := time.perf_counter()) < end:
        history = rng.choice(names, rng.integers(1, LENGTH + 1)).tolist()
        asked = {"histories": [history], "top": 10, "explain": True}
        try:
            status, answer = _ask(connection, "POST", "/recommend", asked)
            good = status == 200 and len(answer["lists"][0]["items"]) > 0
        except (OSError, ValueError, http.client.HTTPException):
            connection.close()  # the next request opens it again
            good = False
        if good:
            seconds.append(time.perf_counter() - began)
        else:
            errors += 1
    connection.close()
    return np.array(seconds), errors


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any = None
) -> tuple[int, Any]:
    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        return _ask(connection, "GET", "/health")[0] == 200
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
