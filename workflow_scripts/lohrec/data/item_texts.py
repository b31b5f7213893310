"""What is known of an item in words, cleaned of the markup that shops write."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL
)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


class ItemText(NamedTuple):
    """What is known of an item in words; nothing by default."""

    title: str = ""
    description: str = ""
    categories: Sequence[str] = ()


def item_text(record: Mapping[str, Any]) -> ItemText:
    """Title, description and categories of a metadata record, cleaned; what it lacks is empty.

    Each may be a string or a list of strings; 'categories' may hold lists, one a path. The
    categories of the 2018 edition go on with scraps of the page after the first closing span.

    Raises:
        TypeError: a value is of another type; the message is its key.
    """
    title = " ".join(filter(None, map(clean, _strings(record, "title"))))
    description = " ".join(filter(None, map(clean, _strings(record, "description"))))
    categories = []
    for part in _strings(record, "category" if "category" in record else "categories"):
        if "</span>" in part:
            break
        categories.append(clean(part))
    return ItemText(title, description, [name for name in categories if name])


def clean(text: str) -> str:
    """Text without markup: entities unescaped, tags and scripts taken out, spaces collapsed."""
    text = html.unescape(text)
    if "<" in text:
        text = _TAG.sub(" ", _HIDDEN.sub(" ", text))
    return " ".join(text.split())


def _strings(record: Mapping[str, Any], key: str) -> Iterator[str]:
    """The strings of a value that may be a string, null or (nested) lists of them."""
    pending = [record.get(key)]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            pending.extend(reversed(value))
        elif value is not None:
            raise TypeError(key)
