"""A headless Chromium, driven by its own WebDriver (W3C), with what its network log says."""

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of the standard
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"]


class Browser:
    """One window.

    Args:
        session: the address of the session.
    """

    def __init__(self, session: str) -> None:
        self.session = session

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return command(f"{self.session}/{path}", body)

    def find(self, xpath: str) -> list[str]:
        found = self.ask("elements", {"using": "xpath", "value": xpath})
        return [one[ELEMENT] for one in found]

    def wait(self, xpath: str, seconds: float = 60) -> str:
        """The first element, once there is one."""
        end = time.monotonic() + seconds
        while not (found := self.find(xpath)):
            assert time.monotonic() < end, f"nothing is {xpath}"
            time.sleep(0.1)
        return found[0]

    def click(self, xpath: str) -> None:
        self.ask(f"element/{self.wait(xpath)}/click", {})

    def type(self, xpath: str, text: str) -> None:
        self.ask(f"element/{self.wait(xpath)}/value", {"text": text})

    def text(self, xpath: str) -> str:
        found: str = self.ask(f"element/{self.wait(xpath)}/text")
        return found

    def screenshot(self, path: str) -> None:
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.ask("screenshot")))

    def requests(self) -> list[tuple[str, int]]:
        """Addresses that were asked for, and the status of each; 0 where there was no answer."""
        events = [
            json.loads(entry["message"])["message"]
            for entry in self.ask("se/log", {"type": "performance"})
        ]
        asked, status = {}, {}
        for event in events:
            given = event["params"]
            if event["method"] == "Network.requestWillBeSent":
                asked[given["requestId"]] = given["request"]["url"]
            elif event["method"] == "Network.responseReceived":
                status[given["requestId"]] = given["response"]["status"]
        return [(url, status.get(number, 0)) for number, url in asked.items()]

    def errors(self) -> list[str]:
        """What the console of the page says."""
        return [entry["message"] for entry in self.ask("se/log", {"type": "browser"})]


@contextmanager
def opened() -> Iterator[Browser]:
    """A browser; the test is skipped where there is none."""
    driver = shutil.which("chromedriver")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not driver or not chromium:
        pytest.skip("there is no Chromium with its chromedriver")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    given = [driver, f"--port={address.rsplit(':', 1)[1]}", "--log-level=OFF"]
    with subprocess.Popen(given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                try:
                    if command(f"{address}/status")["ready"]:
                        break
                except urllib.error.URLError:
                    time.sleep(0.1)
            asked = {
                "browserName": "chrome",
                "goog:chromeOptions": {"binary": chromium, "args": OPTIONS},
                "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
            }
            made = command(f"{address}/session", {"capabilities": {"alwaysMatch": asked}})
            browser = Browser(f"{address}/session/{made['sessionId']}")
            try:
                yield browser
            finally:
                request = urllib.request.Request(browser.session, method="DELETE")
                urllib.request.urlopen(request, timeout=60).close()
        finally:
            process.terminate()


def command(url: str, body: dict[str, Any] | None = None) -> Any:
    """A command of WebDriver, and its value."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)["value"]
