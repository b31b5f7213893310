"""The page and its endpoints over HTTP: the lists of the front door, explained and bounded."""

import json
import os
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import browser
import numpy as np
import pytest

uvicorn = pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from lohrec.benchmarks import load  # noqa: E402
from lohrec.recommender.recommender import Recommender  # noqa: E402
from lohrec.serving import explanation, web  # noqa: E402


def served(recommender: Recommender) -> Iterator[str]:
    config = uvicorn.Config(
        web.application(recommender, ["127.0.0.1"]), "127.0.0.1", 0, log_level="error"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def generative(shop) -> Recommender:
    return shop.fit("generative")


@pytest.fixture(scope="module")
def address(generative) -> Iterator[str]:
    yield from served(generative)


def ask(url: str, body: object = None, **headers: str) -> tuple[int, dict]:
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Content-Type": "application/json"} | headers
    request = urllib.request.Request(url, data, given)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        text = error.read()
        return error.code, json.loads(text) if text[:1] == b"{" else {"text": text.decode()}


def test_lists_are_those_of_the_front_door(address, generative, shop) -> None:
    names = shop.catalogue.names
    histories = [names[:3], ["no such", names[7]], [], names[:30]]
    for exclude in (True, False, None):
        asked = {"histories": histories, "top": 5, "exclude_history": exclude}
        status, found = ask(f"{address}/recommend", asked)
        lists = generative.recommend(histories, 5, exclude)
        assert status == 200 and len(found["lists"]) == 4
        for user, own in enumerate(found["lists"]):
            assert [one["item"] for one in own["items"]] == [name for name, _ in lists[user]]
            scores = [score for _, score in lists[user]]
            np.testing.assert_allclose([one["score"] for one in own["items"]], scores, atol=1e-5)
        assert [own["cold"] for own in found["lists"]] == [False, False, True, False]
        assert [own["unknown"] for own in found["lists"]] == [0, 1, 0, 0]
    titles = dict(zip(names, shop.catalogue.titles, strict=True))
    assert all(one["title"] == titles[one["item"]] for one in found["lists"][0]["items"])


def test_probabilities_along_all_items_are_a_distribution(address, generative, shop) -> None:
    asked = {"histories": [shop.catalogue.names[:3]], "top": 100, "exclude_history": False}
    _, found = ask(f"{address}/recommend", asked | {"explain": True})
    items = found["lists"][0]["items"]
    assert len(items) == len(shop.catalogue)
    p = {one["identifier"]: one["probabilities"] for one in items}
    assert all(len(steps) == 4 for steps in p.values())
    assert sum(np.prod(steps) for steps in p.values()) == pytest.approx(1, abs=1e-3)
    # Codewords after one prefix share a probability of 1; the same way has the same figures.
    for level in range(4):
        ways: dict[str, dict[str, set[float]]] = {}
        for identifier, steps in p.items():
            words = identifier.replace("><", "> <").split()
            ways.setdefault("".join(words[:level]), {}).setdefault(words[level], set()).add(
                steps[level]
            )
        for after in ways.values():
            assert all(len(same) == 1 for same in after.values())
            total = sum(value for same in after.values() for value in same)
            assert total == pytest.approx(1, abs=1e-3)


def test_as_many_are_explained_at_once_as_the_recommender_takes(
    generative, shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = generative, shop.catalogue.names[:3], range(20)
    whole = explanation.probabilities(*asked)
    taken, steps = [], generative.steps
    monkeypatch.setattr(generative, "at_once", lambda wanted: 7)
    monkeypatch.setattr(
        generative, "steps", lambda h, t: taken.append(len(h.length)) or steps(h, t)
    )
    np.testing.assert_allclose(explanation.probabilities(*asked), whole, atol=1e-6)
    assert taken == [7, 7, 6]


def test_items_are_found_and_those_with_the_same_beginning(address, generative, shop) -> None:
    _, found = ask(f"{address}/items?search=THING%20b01&most=4")
    assert [one["item"] for one in found["items"]] == ["B010", "B011", "B012", "B013"]
    assert ask(f"{address}/items?search=nothing+like+it")[1] == {"items": []}
    for codewords in (1, 2):
        _, found = ask(f"{address}/sharing?item=B005&codewords={codewords}&most=50")
        same = (generative.ids[:, :codewords] == generative.ids[5, :codewords]).all(1)
        expected = [shop.catalogue.names[n] for n in np.flatnonzero(same) if n != 5]
        assert [one["item"] for one in found["items"]] == expected
    assert len(expected) < same.size
    status, found = ask(f"{address}/sharing?item=B0050")
    assert status == 404 and "There is no item 'B0050'" in found["detail"]


def test_health(address, shop) -> None:
    _, found = ask(f"{address}/health")
    assert found == {"status": "ok", "recommender": "generative", "items": 60,
                     "excludes_history": True, "explains": True}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"histories": [["B001"] * 1000]}, 200),
        ({"histories": [["B001"] * 1001]}, 422),
        ({"histories": [["B001"]] * 64}, 200),
        ({"histories": [["B001"]] * 65}, 422),
        ({"histories": []}, 422),
        ({"histories": [["B" * 257]]}, 422),
        ({"histories": [[1]]}, 422),
        ({"histories": ["B001"]}, 422),
        ({"histories": [["B001"]], "top": 101}, 422),
        ({"histories": [["B001"]], "top": 0}, 422),
        ({"histories": [["B001"]], "topp": 5}, 422),
        (b"no json", 422),
        (b'{"histories": [["B001"]], "top": NaN}', 422),
        (b'{"histories": [[Infinity]]}', 422),
        (b'{"histories": [["B001"]], "\\ud800": 1}', 422),
        (b" " * (2**18 + 1), 413),
    ],
    ids=str,
)
def test_what_is_asked_is_bounded(address, body, status) -> None:
    found = ask(f"{address}/recommend", body)
    assert found[0] == status, found[1]


def test_another_name_of_the_machine_is_refused(address) -> None:
    assert ask(f"{address}/health", Host="somewhere.example")[0] == 400


def test_many_at_once_get_what_one_gets(address, shop) -> None:
    asked = {"histories": [shop.catalogue.names[:3]], "top": 5, "explain": True}
    alone = ask(f"{address}/recommend", asked)
    with ThreadPoolExecutor(16) as pool:
        every = list(pool.map(lambda _: ask(f"{address}/recommend", asked), range(32)))
    assert all(one == alone for one in every)


def test_one_request_computes_at_a_time(address, generative, shop, monkeypatch) -> None:
    recommend, working, most = generative.recommend, [], []

    def watched(*arguments):
        working.append(1)
        most.append(len(working))
        time.sleep(0.02)
        working.pop()
        return recommend(*arguments)

    monkeypatch.setattr(generative, "recommend", watched)
    asked = {"histories": [shop.catalogue.names[:3]], "top": 5}
    with ThreadPoolExecutor(8) as pool:
        every = list(pool.map(lambda _: ask(f"{address}/recommend", asked), range(8)))
    assert [status for status, _ in every] == [200] * 8
    assert most == [1] * 8


def test_the_command_answers_here_and_tells_the_129th_to_come_again(shop, tmp_path) -> None:
    shop.fit("popularity").save(tmp_path / "model")
    with load.serving(str(tmp_path / "model")) as (port, _), ExitStack() as opened:
        url = f"http://127.0.0.1:{port}/health"
        assert [ask(url)[0], ask(url, Host="localhost")[0]] == [200, 200]
        assert ask(url, Host="other.example")[0] == 400
        for _ in range(web.AT_ONCE - 1):
            opened.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert ask(url)[0] == 200
        opened.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert ask(url)[0] == 503


def test_recommenders_without_identifiers_are_served_without_explanations(shop) -> None:
    server = served(shop.fit("popularity"))
    address = next(server)
    asked = {"histories": [["B001"]], "top": 3, "explain": True}
    status, found = ask(f"{address}/recommend", asked)
    assert status == 200 and set(found["lists"][0]["items"][0]) == {"item", "title", "score"}
    assert ask(f"{address}/sharing?item=B001")[0] == 404
    assert next(server, None) is None


def test_the_page_asks_nobody_else(address) -> None:
    with urllib.request.urlopen(f"{address}/") as answer:
        page, policy = answer.read().decode(), answer.headers["Content-Security-Policy"]
    assert "http://" not in page and "https://" not in page and "innerHTML" not in page
    assert "default-src 'none'" in policy and "connect-src 'self'" in policy


def test_the_page_in_a_browser(address, generative, shop) -> None:
    """Search, click, see the list, open a codeword: what the front door says, and no error."""
    with browser.opened() as window:
        window.ask("url", {"url": address})
        window.wait("//*[@id='list']/li[10]")
        assert "the most popular items" in window.text("//*[@id='note']")
        window.type("//*[@id='search']", "thing B007")
        window.wait("//*[@id='found'][count(li) = 1]")
        window.click("//*[@id='found']//button")
        assert "B007" in window.text("//*[@id='history']//button")
        window.wait("//*[@id='list']//*[@class='total']")
        expected = generative.recommend([["B007"]], 10, True)[0]
        shown = [window.text(f"//*[@id='list']/li[{n}]/small") for n in range(1, 11)]
        assert shown == [name for name, _ in expected]

        window.click("//*[@id='list']/li[1]//button[1]")
        window.wait("//*[@id='list']/li[1]/ul/li")
        first = generative.catalogue.number[shown[0]]
        same = generative.ids[:, 0] == generative.ids[first, 0]
        others = len(window.find("//*[@id='list']/li[1]/ul/li/button"))
        assert others == min(same.sum() - 1, 20)

        window.click("//*[@id='history']//button")
        window.wait("//*[@id='list'][not(.//*[@class='total'])]")
        asked = window.requests()
        assert {url.split("?")[0] for url, _ in asked if not url.startswith("data:")} == {
            f"{address}/{path}" for path in ("", "health", "items", "recommend", "sharing")
        }
        assert all(status == 200 for _, status in asked), asked
        assert window.errors() == [] and window.text("//*[@id='said']") == ""


def test_a_load_of_clients_is_measured(address, shop) -> None:
    found = load.measure(int(address.rsplit(":", 1)[1]), shop.catalogue.names, 4, 0.5)
    assert found["errors"] == 0 and found["requests"] >= 4
    assert 0 < found["p50, ms"] <= found["p95, ms"] <= found["p99, ms"] <= found["longest, ms"]
    began = load.busy(os.getpid())
    while load.busy(os.getpid()) < began + 0.05:
        pass  # it counts what this process does
    # What is refused is no answer.
    found = load.measure(int(address.rsplit(":", 1)[1]), ["B" * 300], 2, 0.3)
    assert found["errors"] > 0 and found["requests"] == 0
