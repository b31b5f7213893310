"""Lines of raw files and the objects in them; what had to be mended to read them is counted."""

import ast
import gzip
import io
import json
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import orjson

from lohrec.common.job_log import progress

# Lines between two looks at how far a file is read.
STEP = 2**18
LONGEST = 2**24  # bytes of a line; the longest published ones have some 2**20
LONGEST_LITERAL = 2**20  # of Python: its tree takes a hundred times as much memory
SWOLLEN = 200  # times its packed size a file unpacks to; texts have 3 to 30
SMALL = 2**27  # bytes that are unpacked whatever their ratio
BLOCK = 2**20
PACKED = {
    b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zX": "xz",
}  # fmt: skip
LOOK = 20  # lines by which a file is judged
HEAD = 2**16  # bytes that they are looked for in

_BOM = b"\xef\xbb\xbf"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def lines(path: Path, what: str, mended: Counter[str]) -> Iterator[bytes]:
    """Lines of a file, unpacked if its name ends in .gz.

    A byte order mark, line ends of Windows and NUL bytes are taken out.

    Args:
        what: the file holds, for messages.
        mended: counts the lines by what was taken out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no gzip file or a damaged one, unpacks to far more than texts do, or has a
            line longer than `LONGEST`.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file of {what} at {path}. Download it, or put your own there."
        )
    with (
        open(path, "rb") as raw,
        progress(None, f"{what} {path.name}", total=path.stat().st_size, unit="B") as bar,
        _unpacked(raw, path) as file,
    ):
        seen = 0
        for number, line in enumerate(iter(partial(file.readline, LONGEST + 1), b""), 1):
            seen += len(line)
            if len(line) > LONGEST:
                raise _too_long(path, number)
            if number == 1 and line.startswith(_BOM):
                line = line.removeprefix(_BOM)
                mended["byte_order_mark"] += 1
            if line.endswith(b"\r\n"):
                line = line[:-2] + b"\n"
                mended["crlf"] += 1
            if b"\0" in line:
                line = line.replace(b"\0", b"")
                mended["nul"] += 1
            yield line
            if number % STEP == 0 or len(line) > BLOCK:
                bar.update(raw.tell() - bar.n)
                check_ratio(path, seen, raw.tell())


def check(path: Path) -> None:
    """Refuse a file that would take the memory of a reader that holds it as a whole.

    Raises:
        ValueError: it has an endless line or unpacks to far more than texts do; or is damaged.
    """
    with open(path, "rb") as raw, _unpacked(raw, path) as file:
        begin = file.peek(4)[:4] if isinstance(file, io.BufferedReader) else b""
        for magic, packer in PACKED.items():
            if begin.startswith(magic):
                raise ValueError(
                    f"{path} is packed by {packer}. Unpack it, or pack it by gzip under a name "
                    "that ends in .gz."
                )
        seen = line = 0
        number = 1
        while block := file.read(BLOCK):
            seen += len(block)
            first, last = block.find(b"\n"), block.rfind(b"\n")
            if line + (len(block) if first < 0 else first) > LONGEST:
                raise _too_long(path, number)
            line = line + len(block) if last < 0 else len(block) - last - 1
            number += block.count(b"\n")
            check_ratio(path, seen, raw.tell())


@contextmanager
def _unpacked(raw: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    """The content of an open file, unpacked if its name ends in .gz; damage is an error."""
    if path.suffix != ".gz":
        yield raw
        return
    try:
        yield io.BufferedReader(gzip.GzipFile(fileobj=raw), BLOCK)
    except EOFError as error:
        raise ValueError(
            f"{path} is cut short: its gzip stream has no end. Delete it and download it again."
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{path} is no gzip file, or a damaged one ({error}). Delete it and download it "
            "again; if it is not packed, take .gz from its name."
        ) from error


def _too_long(path: Path, number: int) -> ValueError:
    return ValueError(
        f"{path}, line {number}: it has more than {LONGEST / 2**20:.0f} MiB, so it is no table and "
        "no JSON with an object a line. Write line ends, or take the right file."
    )


def check_ratio(path: Path, seen: int, packed: int) -> None:
    """Refuse a file that unpacks to more than texts do, before it fills a memory or a night.

    Args:
        seen: bytes that `packed` bytes of it unpack to.

    Raises:
        ValueError: it does.
    """
    if seen > SMALL and seen > SWOLLEN * packed:
        raise ValueError(
            f"{path}: {packed:,} bytes unpack to {seen:,} and more, {SWOLLEN} times as much, "
            "so it is a bomb or holds nothing. If it is right, write it without packing."
        )


def first_lines(
    path: Path, encoding: str = "utf-8", mended: Counter[str] | None = None
) -> list[str]:
    """The first lines of a file as texts, unpacked if its name ends in .gz.

    Args:
        mended: counts a byte order mark and a file whose lines end as in Windows, if given.

    Raises:
        ValueError: it cannot be unpacked, or is in UTF-16 and nobody said so.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            head = file.read(HEAD)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be unpacked ({error}). Put it there again.") from error
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) and encoding == "utf-8":
        raise ValueError(f"{path} is in UTF-16. Set sources.table.encoding: utf-16.")
    if mended is not None:
        mended["byte_order_mark"] += head.startswith(_BOM)
        mended["files_with_crlf"] += b"\r\n" in head
    try:
        text = head.removeprefix(_BOM).decode(encoding, errors="replace")
    except LookupError:
        raise ValueError(
            f"{path}: Python knows no encoding {encoding!r}. Set sources.table.encoding to one it "
            "knows, such as utf-8, utf-16, latin-1 or cp1252."
        ) from None
    if "\r" in text and "\n" not in text:
        raise ValueError(
            f"{path} ends its lines as the first Macs did, by CR alone. Write LF: tr '\\r' '\\n'."
        )
    # At nothing else that Python takes for an end, since polars does not.
    found = re.split("\r?\n", text.replace("\0", "").removesuffix("\n"))
    return found[: -1 if len(head) == HEAD and len(found) > 1 else None][:LOOK]


def printable(text: str) -> str:
    """A text for a message: a dot for what no terminal shows."""
    return "".join(letter if letter.isprintable() else "·" for letter in text)


def json_object(line: bytes, once: Collection[bytes], mended: Counter[str]) -> dict[str, Any] | str:
    """The JSON object of a line, or the reason why the line holds none.

    What Python's json takes and the standard does not, NaN and halves of a character, is taken
    too; the halves are dropped.

    Args:
        once: keys in double quotes; one that is there twice is a reason.
        mended: counts the lines that are no standard JSON.
    """
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        if not line.strip():
            return "blank"
        try:
            record = whole(json.loads(line), mended)
        except (ValueError, RecursionError):
            return "not_json"
        mended["json_of_python"] += 1
    if type(record) is not dict:
        return "not_an_object"
    # A key within a text looks the same, so only the suspicious are read again.
    for key in once:
        if line.count(key) > 1 and _repeats_a_key(line):
            return "duplicate_key"
    return record


def python_object(line: bytes) -> dict[str, Any] | str:
    """The dictionary that a line holds as a literal of Python, or the reason why there is none."""
    if not line.strip():
        return "blank"
    if len(line) > LONGEST_LITERAL:
        return "too_long"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of unknown escapes in texts
            record = ast.literal_eval(line.decode().strip())
    except (TypeError, ValueError, SyntaxError, MemoryError, RecursionError):
        return "no_python_literal"
    return record if type(record) is dict else "not_an_object"


def whole_number(value: Any, what: str, mended: Counter[str]) -> int | None:
    """An integer, also where it was written as a text or with a fraction of 0; None if it is none.

    Args:
        what: it is, for the counts.
    """
    if type(value) is float and value.is_integer():
        mended[f"{what}_with_fraction"] += 1
        value = int(value)
    elif type(value) is str:
        try:
            value = int(value)
        except ValueError:
            return None
        mended[f"{what}_as_text"] += 1
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def whole(value: Any, mended: Counter[str]) -> Any:
    """A value without halves of characters, which no file in UTF-8 can hold; they are counted."""
    if isinstance(value, str) and (found := _LONE_SURROGATE.findall(value)):
        mended["halves_of_characters"] += len(found)
        return _LONE_SURROGATE.sub("", value)
    if isinstance(value, list):
        return [whole(one, mended) for one in value]
    if isinstance(value, dict):
        return {whole(key, mended): whole(one, mended) for key, one in value.items()}
    return value


def _repeats_a_key(line: bytes) -> bool:
    found = False

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        record = dict(pairs)
        found |= len(record) < len(pairs)
        return record

    json.loads(line, object_pairs_hook=look)
    return found
