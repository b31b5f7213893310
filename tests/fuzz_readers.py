"""Feed readers what nobody wrote: they read it, or refuse it in words of their own.

It is no test by itself:
pip install atheris; python tests/fuzz_readers.py -max_total_time=600
It begins with what each reader is for, given to every other one too.
"""

import gzip
import json
import sys
import tempfile
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet
from tiny_tables import DEFAULT, NAMED, NAMES

from lohrec.common import job_log
from lohrec.data.sources import amazon2018, lcrec, table

FOLDER = Path(tempfile.mkdtemp())
ITEMS = ["0", "1", "2"]
# First byte of an input: which reader has the rest.
FILES = ("a.csv", "a.tsv", "a.csv.gz", "a.json", "a.json.gz", "a.parquet", "u.data", "a.inter")


def tabled(path: Path, **settings: object) -> None:
    table.read({"interactions": [path]}, **(DEFAULT | settings))


def described(path: Path, **settings: object) -> None:
    rows = "".join(f"u{u},i{(u + k) % 5},{10**9 + k}\n" for u in range(5) for k in range(4))
    (FOLDER / "own.csv").write_text("user,item,time\n" + rows)
    paths = {"interactions": [FOLDER / "own.csv"], "metadata": [path]}
    table.read(paths, **(DEFAULT | settings))


READERS = [
    *(lambda path, name=name: tabled(path.rename(FOLDER / name)) for name in FILES),
    *(lambda path, name=name: described(path.rename(FOLDER / name)) for name in FILES),
    lambda path: tabled(path, recipe="amazon_2014"),
    lambda path: tabled(path, recipe="lcrec"),
    lambda path: described(path, recipe="lcrec"),
    lambda path: amazon2018.read_reviews(path.rename(FOLDER / "Mine_5.json")),
    lambda path: amazon2018.read_reviews(path.rename(FOLDER / "Mine.csv")),
    lambda path: amazon2018.read_metadata(path, ITEMS),
    lambda path: lcrec.read_inter(path),
    lambda path: lcrec.read_items(path),
    lambda path: lcrec.read_identifiers(path, ITEMS),
]


def seeds() -> list[bytes]:
    """Files as they should be, of each kind."""
    whole = [
        {str(user): [(user + step) % 3 for step in range(4)] for user in range(5)},
        {name: {"title": f"t {name}", "description": "d"} for name in ITEMS},
        {name: [f"<a_{name}>", f"<b_{name}>", f"<c_{name}>", "<d_0>"] for name in ITEMS},
    ]
    names = "reviewerID", "asin", "overall", "unixReviewTime"
    reviews = [dict(zip(names, row, strict=True)) for row in NAMED]
    items = [{"asin": name, "title": f"t {name}", "description": ["d"]} for name in ITEMS]
    objects = ["\n".join(map(json.dumps, lines)) for lines in (reviews, items)]
    tables = [
        "\n".join(separator.join(map(str, row)) for row in (NAMES, *NAMED)) for separator in ",\t"
    ]
    columns = dict(zip(NAMES, map(list, zip(*NAMED, strict=True)), strict=True))
    parquet.write_table(pa.table(columns), FOLDER / "seed.parquet")
    texts = [*map(json.dumps, whole), *objects, *tables]
    return [*(text.encode() for text in texts), (FOLDER / "seed.parquet").read_bytes()]


def feed(data: bytes) -> None:
    """Fail on an error that is not the library's own."""
    if not data:
        return
    which = data[0] % (2 * len(READERS))
    content = gzip.compress(data[1:], 1) if which >= len(READERS) else data[1:]
    path = FOLDER / "input"
    path.write_bytes(content)
    with redirect_stdout(StringIO()):
        try:
            READERS[which % len(READERS)](path)
        except Exception as error:
            if "Nobody foresaw" in job_log.message(error):
                raise
    with suppress(FileNotFoundError):
        path.unlink()


if __name__ == "__main__":
    import atheris

    for module in ("lohrec.data", "lohrec.common.job_log"):
        for name in [one for one in sys.modules if one.startswith(module)]:
            for function in vars(sys.modules[name]).values():
                if getattr(function, "__module__", None) == name and hasattr(function, "__code__"):
                    atheris.instrument_func(function)
    corpus = FOLDER / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds()):
        for which in range(2 * len(READERS)):
            (corpus / f"{number}_{which}").write_bytes(bytes([which]) + seed)
    atheris.Setup([*sys.argv, str(corpus)], feed)
    atheris.Fuzz()
