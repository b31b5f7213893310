"""What is known of an item in words, cleaned of the markup that shops write."""

import ast
import html
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lohrec.data import raw_lines

_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL
)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
# What a page that was cut off leaves at the end of a text.
_OPEN_TAG = re.compile(r"</?[a-zA-Z][\w:-]*(?:\s+[\w:-]+\s*=.*)?\s*", re.DOTALL)
_UNPRINTABLE = re.compile("[\0\ud800-\udfff]")


class ItemText(NamedTuple):
    """What is known of an item in words; nothing by default."""

    title: str = ""
    description: str = ""
    categories: Sequence[str] = ()
    brand: str = ""
    price: str = ""


def item_text(record: Mapping[str, Any], done: Counter[str] | None = None) -> ItemText:
    """Title, description, categories, brand and price, cleaned; what a record lacks is empty.

    The first three may each be a string or a list of strings, or a string that is the printed list;
    'categories' may hold lists, one a path. The categories of the 2018 edition go on with scraps of
    the page after the first closing span.

    Args:
        done: counts the texts by what was done to them.

    Raises:
        TypeError: a value is of another type; the message is its key.
    """
    done = Counter() if done is None else done

    def joined(key: str) -> str:
        parts = (clean(text, done) for text in _strings(record, key, done))
        return " ".join(filter(None, parts))

    categories = []
    for part in _strings(record, "category" if "category" in record else "categories", done):
        if "</span>" in part:
            break
        categories.append(clean(part, done))
    return ItemText(
        joined("title"),
        joined("description"),
        [name for name in categories if name],
        *(clean(_word(record.get(key)), done) for key in ("brand", "price")),
    )


def clean(text: str, done: Counter[str] | None = None) -> str:
    """Text without markup: entities unescaped, tags and scripts taken out, spaces collapsed.

    A tag that is not closed at the end is taken out too, and so are NUL and halves of characters.

    Args:
        done: counts the texts by what was done to them.
    """
    done = Counter() if done is None else done
    plain = html.unescape(text)
    done["entities_unescaped"] += plain != text
    if _UNPRINTABLE.search(plain):
        plain = _UNPRINTABLE.sub("", plain)
        done["unprintable_characters_removed"] += 1
    if "<" in plain:
        whole = _TAG.sub(" ", _HIDDEN.sub(" ", plain))
        done["tags_removed"] += whole != plain
        plain = whole
        last = plain.rfind("<")
        # Without an attribute it is one only where nothing else is there: "a <b" is none.
        if last >= 0 and (last == 0 or "=" in plain[last:]) and _OPEN_TAG.fullmatch(plain, last):
            plain = plain[:last]
            done["unclosed_tags_removed"] += 1
    return " ".join(plain.split())


def _word(value: Any) -> str:
    """A brand or a price as a text; empty where it is neither text nor number."""
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    return str(value) if type(value) in (str, int, float) else ""


def _printed(text: str) -> list[Any] | None:
    """The list that was printed as a text; None if it is none."""
    printed = text.startswith("[") and text.endswith("]")
    if not printed or len(text) > raw_lines.LONGEST_LITERAL:
        return None
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, list) and all(isinstance(v, str) for v in value) else None


def _strings(record: Mapping[str, Any], key: str, done: Counter[str]) -> Iterator[str]:
    """The strings of a value that may be a string, a number, null or (nested) lists of them."""
    pending = [record.get(key)]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            if (parts := _printed(value.strip())) is not None:
                done["printed_lists_read"] += 1
                pending.extend(reversed(parts))
            else:
                yield value
        elif isinstance(value, float) and math.isnan(value):
            done["nan_left_out"] += 1
        elif isinstance(value, list):
            pending.extend(reversed(value))
        elif type(value) in (int, float):
            yield str(value)
        elif value is not None:
            raise TypeError(key)
