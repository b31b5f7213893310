"""Downloads that can be cut off: a transfer goes on where it stopped and appears whole.

Bytes gather in `<file>.part`, beside the file, with what identifies the server's version in
`<file>.part.json`. Both outlive a failed job, since no rule declares them.
"""

import gzip
import hashlib
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

from lohrec.common import artefacts, disk, job_log

BLOCK = 1 << 20  # bytes
TIMEOUT = 60  # seconds without a byte
ATTEMPTS = 4  # in a row that bring no new byte
WAIT = 1.0  # seconds before the second attempt, doubled with every further one
MENDING = {408, 429, 500, 502, 503, 504}  # HTTP statuses worth another attempt


class _Interrupted(Exception):
    """The transfer stopped for a reason that may pass."""


def fetch(url: str, path: str | Path, sha256: str | None = None) -> dict[str, Any]:
    """Download `url` to `path`, resuming what an earlier call left in `<path>.part`.

    Args:
        url: http or https address.
        path: the file appears there when it is complete and checked.
        sha256: expected digest in hexadecimal, if known.

    Returns:
        {"url", "bytes", "sha256", "retrieved" (UTC, ISO 8601)}.

    Raises:
        ConnectionError: the server refuses, or cannot be reached.
        ValueError: no http(s) address, another digest than expected, or a broken .gz file.
    """
    path = Path(path)
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"{url!r} is no http(s) address. {_by_hand(path)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(path, url)

    furthest, failures = part.size, 0
    while not part.complete:
        try:
            _transfer(url, part)
        except urllib.error.HTTPError as error:
            raise ConnectionError(
                f"{url} answers {error.code} {error.reason}. {_by_hand(path)}"
            ) from error
        except _Interrupted as error:
            failures = 1 if part.size > furthest else failures + 1
            furthest = max(furthest, part.size)
            if failures == ATTEMPTS:
                raise ConnectionError(
                    f"Cannot download {url}: {error}. {part.kept()}{_by_hand(path)}"
                ) from error
            pause = WAIT * 2 ** (failures - 1)
            print(f"{url}: {error}; next attempt in {pause:g} s", flush=True)
            time.sleep(pause)
        except OSError as error:
            if full := disk.ran_out(part.path, error):
                raise full from error
            raise

    with open(part.path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        if sha256 and found != sha256.lower():
            raise ValueError(
                f"{url} has SHA-256 {found}, but {sha256} is expected. The download was discarded. "
                "Correct the expected digest if the file was published anew, or download again."
            )
        if path.suffix == ".gz":
            _check_gzip(part.path, url)
    except ValueError:
        part.discard()
        raise
    record = {
        "url": url,
        "bytes": part.size,
        "sha256": found,
        "retrieved": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    part.finish(path)
    return record


class _Part:
    """The bytes had so far, and the version of the file to which they belong."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path.with_name(path.name + ".part")
        self._about = path.with_name(path.name + ".part.json")
        self.validator = self.total = None
        self.complete = False  # all bytes are there
        if self.path.exists() and self._about.exists():
            with suppress(ValueError, KeyError, TypeError):  # damaged: all is fetched again
                about = artefacts.read_json(self._about)
                if about["url"] == url:
                    self.validator, self.total = about["validator"], about["bytes"]
                    self.complete = self.size == self.total
        if not self.validator:
            self.discard()

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def begin(self, url: str, validator: str | None, total: int | None) -> None:
        """Start afresh with the version that `validator` names."""
        self.discard()
        self.validator, self.total = validator, total
        self.path.touch()
        artefacts.write_json(self._about, {"url": url, "validator": validator, "bytes": total})

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._about.unlink(missing_ok=True)
        self.validator = self.total = None
        self.complete = False

    def kept(self) -> str:
        """What a later call can build on, as a sentence; empty if nothing."""
        if not (self.size and self.validator):
            return ""
        return f"{self.size:,} bytes are kept in {self.path}; run again to go on. "

    def finish(self, path: Path) -> None:
        disk.sync(self.path)
        os.replace(self.path, path)
        disk.sync(path.parent)
        self._about.unlink(missing_ok=True)


def _transfer(url: str, part: _Part) -> None:
    """Ask for what is missing and append it to the part.

    Raises:
        urllib.error.HTTPError: a refusal that will last.
        _Interrupted: anything that may pass.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": "lohrec"}
    # Without a validator nobody can tell whether the old bytes belong to the new ones.
    if part.size and part.validator:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": part.validator}
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT
        )
    except urllib.error.HTTPError as error:
        if error.code == 416:
            part.discard()
        elif error.code not in MENDING:
            raise
        raise _Interrupted(f"the server answers {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise _Interrupted(getattr(error, "reason", None) or repr(error)) from error

    with response:
        if response.status == 206:
            _check_continues(response, part)
        else:
            if part.size:
                print(f"{url}: changed, or cannot be resumed; starting afresh", flush=True)
            length = response.headers["Content-Length"]
            part.begin(url, _validator(response), int(length) if length else None)
        bar = job_log.progress(None, part.path.stem, total=part.total, unit="B", initial=part.size)
        bar.unit_scale = True
        with bar, open(part.path, "ab") as file:
            while True:
                try:
                    block = response.read1(BLOCK)
                except (OSError, HTTPException) as error:
                    raise _Interrupted(f"the connection broke ({error!r})") from error
                if not block:
                    break
                file.write(block)
                bar.update(len(block))
    if part.total is not None and part.size != part.total:
        size = part.size
        if size > part.total:
            part.discard()
        raise _Interrupted(f"the transfer ended after {size:,} of {part.total:,} bytes")
    part.complete = True


def _check_continues(response: HTTPResponse, part: _Part) -> None:
    """A partial answer must begin where the part ends and belong to the same version."""
    span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers["Content-Range"] or "")
    same = (
        span
        and int(span[1]) == part.size
        and (part.total is None or span[2] in ("*", str(part.total)))
        and _validator(response) in (None, part.validator)
    )
    if not same:
        part.discard()
        raise _Interrupted("the server's partial answer does not continue what was had")


def _validator(response: HTTPResponse) -> str | None:
    """What names the version of a file: a strong ETag, else the date of its last change."""
    tag = response.headers["ETag"]
    return tag if tag and not tag.startswith("W/") else response.headers["Last-Modified"]


def _check_gzip(path: Path, url: str) -> None:
    """Read a gzip file to its end, checksums included; an empty file is none."""
    try:
        if not path.stat().st_size:
            raise EOFError("it is empty")
        with gzip.open(path) as file:
            while file.read(BLOCK):
                pass
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(
            f"{url} is no whole gzip file ({error}); it may be a page that says why. "
            "The download was discarded: check the address."
        ) from error


def _by_hand(path: Path) -> str:
    return (
        f"Without a connection, put {path.name} into a folder and name that folder: "
        "--config raw_dir=FOLDER"
    )
