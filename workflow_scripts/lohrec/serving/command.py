"""The command `lohrec`: lists, near items, and what a trained recommender is."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import partial
from typing import TextIO

HISTORIES = """\
Histories are rows with the columns user, item and time, as CSV, TSV, Parquet or JSON lines, in any
order; without a time the oldest row of a user comes first. Other usual names of such columns are
known, and --columns tells any others. A JSON line may also be a user with all items:
{"user": "anna", "items": ["B0H5K753EK", "B1DCJYSQYO"]}. Names are those of the source."""

ITEMS = """\
Items are rows with the columns item, title and description, as CSV, TSV, Parquet or JSON lines,
gzip or not; either text may be missing. Other usual names of such columns are known, and --columns
tells any others."""
Run = Callable[[argparse.Namespace, TextIO], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status: 0, or 2 where what was given cannot be used."""
    given = _parser().parse_args(arguments)
    answer = sys.stdout
    try:
        # What the library says while it works is no part of the answer.
        with redirect_stdout(sys.stderr):
            given.run(given, answer)
        answer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever read had enough
    except (ValueError, OSError) as error:
        print(f"lohrec {given.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lohrec", description="Use a trained recommender.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Run, says: str, epilog: str = "") -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=says, description=says, epilog=epilog)
        added.set_defaults(run=run)
        return added

    model = "its folder, such as results/demo/dwr/seed_0, or hub:OWNER/NAME"
    one = command("recommend", _recommend, "Write a list for every user.", HISTORIES)
    one.add_argument("--model", required=True, help=model)
    one.add_argument("--histories", required=True, metavar="FILE", help="a file, or - for stdin")
    one.add_argument(
        "--columns",
        type=partial(_columns, ("user", "item", "time")),
        metavar="ROLE=COLUMN,...",
        help="user=customer,item=sku,time=ordered, or by position from 1 where there is no header",
    )
    one.add_argument(
        "--output",
        default="-",
        metavar="FILE",
        help="*.parquet, *.csv or *.jsonl; without it, CSV to stdout",
    )
    one.add_argument("--top", type=_positive, default=10, help="items of a list (10)")
    bought = one.add_mutually_exclusive_group()
    bought.add_argument(
        "--exclude-history",
        action="store_true",
        default=None,
        help="leave a user's own items out of the list (without either: as the model was tried)",
    )
    bought.add_argument(
        "--keep-history", dest="exclude_history", action="store_false", help="keep them"
    )
    one.add_argument("--batch", type=_positive, default=1024, help="users read at once (1024)")

    one = command("similar", _similar, "Print the items nearest to one.")
    one.add_argument("item", metavar="ITEM", help="its name, as the source has it")
    one.add_argument("--model", required=True, help=model)
    one.add_argument("--top", type=_positive, default=10, help="how many (10)")

    one = command("add-items", _add_items, "Write a recommender that knows new items too.", ITEMS)
    one.add_argument("model", metavar="MODEL", help=model)
    one.add_argument("--items", required=True, metavar="FILE", help="the new items")
    one.add_argument(
        "--columns",
        type=partial(_columns, ("item", "title", "description")),
        metavar="ROLE=COLUMN,...",
        help="item=sku,title=label,description=text",
    )
    one.add_argument("--output", required=True, metavar="FOLDER", help="of the new recommender")

    one = command("serve", _serve, "Show a page to try a recommender, and answer JSON.")
    one.add_argument("model", metavar="MODEL", help=model)
    one.add_argument("--host", default="127.0.0.1", help="address (127.0.0.1: this machine alone)")
    one.add_argument("--port", type=_port, default=8000, help="port (8000)")

    one = command("push", _push, "Upload a recommender and its card to the Hugging Face hub.")
    one.add_argument("model", metavar="MODEL", help=model)
    one.add_argument("repository", metavar="REPO", help="OWNER/NAME on the hub")
    one.add_argument("--public", action="store_true", help="for anybody to see (private)")

    one = command("show", _show, "Print what a recommender is and how it was made.")
    one.add_argument("model", metavar="MODEL", help=model)
    return parser


def _columns(roles: tuple[str, ...], text: str) -> dict[str, str | int]:
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(role in roles and place for role, _, place in pairs):
        like = ",".join(f"{role}=NAME" for role in roles)
        raise argparse.ArgumentTypeError(f"{text!r} is not like {like}")
    return {role: int(place) if place.isdecimal() else place for role, _, place in pairs}


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 1 on")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port; those are 1 to 65535")
    return int(text)


# PyTorch takes seconds to import, so each command imports what it needs.


def _recommend(given: argparse.Namespace, answer: TextIO) -> None:
    from lohrec.recommender.recommender import Recommender
    from lohrec.serving import history_rows, list_files, many_users, user_histories

    list_files.check(given.output)
    recommender = Recommender.load(given.model)
    titles = recommender.catalogue.titles
    with (
        user_histories.gathered(history_rows.read(given.histories, given.columns)) as histories,
        list_files.opened(given.output, titles, answer) as write,
    ):
        counts = many_users.recommend(
            recommender, histories, write, given.top, given.exclude_history, given.batch
        )
    print(counts, file=sys.stderr)


def _similar(given: argparse.Namespace, answer: TextIO) -> None:
    from lohrec.serving import near_items

    for place, near in enumerate(near_items.nearest(given.model, given.item, given.top), 1):
        print(place, near.item, f"{near.cosine:.4f}", near.title, sep="\t", file=answer)


def _add_items(given: argparse.Namespace, answer: TextIO) -> None:
    from lohrec.identifiers.codewords import written
    from lohrec.serving import item_files, new_items

    items = item_files.read(given.items, given.columns)
    ids = new_items.add(given.model, items, given.output)
    for item, name in zip(items, written(ids), strict=True):
        print(item.name, name, item.title, sep="\t", file=answer)
    without = sum(not item.title + item.description for item in items)
    said = f", {without:,} of them without a text, which lie among the average" if without else ""
    print(f"{len(items):,} items added{said}, in {given.output}", file=sys.stderr)


def _serve(given: argparse.Namespace, answer: TextIO) -> None:
    try:
        from lohrec.serving import web
    except ModuleNotFoundError as error:
        raise ValueError(f"{error}. Install what it needs: pip install -e '.[serve]'") from None
    from lohrec.recommender.recommender import Recommender

    recommender = Recommender.load(given.model)
    host = f"[{given.host}]" if ":" in given.host else given.host
    print(f"http://{host}:{given.port}/ (Ctrl+C ends it)", file=answer, flush=True)
    web.serve(recommender, given.host, given.port)


def _push(given: argparse.Namespace, answer: TextIO) -> None:
    from lohrec.serving import hub_upload

    print(hub_upload.push(given.model, given.repository, given.public), file=answer)


def _show(given: argparse.Namespace, answer: TextIO) -> None:
    from lohrec.serving import description

    lines = description.lines(given.model)
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        print(f"{name:{width}}  {text}", file=answer)
