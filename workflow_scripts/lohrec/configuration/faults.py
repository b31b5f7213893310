"""What breaks the configuration's schema, in words: the place, the value, what may stand there.

A schema's own key `words` says it where no other key can: what a pattern or a `not` means.
"""

import json
import re
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from lohrec.configuration.config_files import Place, where
from lohrec.configuration.registry import instead

WIDTH = 100  # characters shown of a value
LARGEST = 2**63  # no array and no file counts so far
# As Python has it: range(2.0) is an error, and for a schema 2.0 is an integer.
_INTEGERS = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, one: type(one) is int)
Validator = extend(Draft202012Validator, type_checker=_INTEGERS)

_SIZES = {
    "minItems": "has fewer than {} entries",
    "uniqueItems": "has an entry twice",
    "minLength": "has fewer than {} characters",
    "maxLength": "has more than {} characters",
    "minProperties": "has fewer than {} rows",
}


def faults(config: Any, schema: dict[str, Any], files: Sequence[str | Path] = ()) -> list[str]:
    """A line for each place that breaks the schema, sorted.

    Args:
        files: that the configuration was read from; a line has file and line of its value.
    """
    found = [(place, place, value, said) for place, value, said in _numbers(config)]
    errors = list(Validator(schema).iter_errors(config))
    wrong_type = {tuple(error.absolute_path) for error in errors if error.validator == "type"}
    for error in errors:
        if tuple(error.absolute_path) in wrong_type and error.validator != "type":
            continue
        place = tuple(map(str, error.absolute_path))
        for key, said in _said(error):
            value = error.instance if key is None else error.instance[key]
            at = place if key is None else (*place, str(key))
            found.append((place, at, value, said))
    lines = set()
    for place, at, value, said in found:
        line = where(files, at, value)
        name = ".".join(place) or "the top level"
        lines.add(f"{name}: {said}" + (f" ({line})" if line else ""))
    return sorted(lines)


def values(schema: dict[str, Any], code: Any = str) -> str:
    """The values that a place may have.

    Args:
        code: writes a single value.
    """
    if "enum" in schema:
        return ", ".join(code(_shown(value)) for value in schema["enum"])
    if "const" in schema:
        return str(code(_shown(schema["const"])))
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    kinds = schema.get("type", "")
    if "items" in schema:
        parts = [f"a list: {values(schema['items'], code)}"]
    else:
        parts = [kinds if isinstance(kinds, str) else " or ".join(kinds)]
    for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">")):
        parts += [f"{sign} {schema[key]}"] if key in schema else []
    for key, sign in (("maximum", "≤"), ("exclusiveMaximum", "<")):
        parts += [f"{sign} {schema[key]}"] if key in schema else []
    return ", ".join(parts)


def _said(error: Any) -> Iterator[tuple[Any, str]]:
    """The key that is wrong at the error's place, None if it is all there, and what is wrong."""
    kind, schema, value = error.validator, error.schema, error.instance
    if kind == "additionalProperties":
        names = schema.get("properties", {})
        for key in value:
            if key not in names:
                yield key, f"unknown key {key!r}. {instead(key, names)}"
        return
    if kind == "required":
        missing = [name for name in error.validator_value if name not in value]
        yield None, f"{', '.join(missing)} is missing"
        return
    if kind == "enum" and isinstance(value, str):
        yield None, f"there is no {value!r}. {instead(value, map(_shown, error.validator_value))}"
        return
    name = "the name " if "propertyNames" in error.absolute_schema_path else ""
    shown = f"{name}{value!r}" if isinstance(value, str) else _shown(value)
    if kind in _SIZES:
        said = f"{shown} {_SIZES[kind].format(error.validator_value)}"
    elif kind == "type" and error.validator_value == "object":
        said = f"{shown} is no group of keys with values"
    else:
        said = f"{shown} is not: {schema.get('words') or values(schema)}"
    description = schema.get("description", "").rstrip(".")
    yield None, ". ".join(filter(None, [said, description, _hint(value)]))


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, default=str)[:WIDTH]


def _numbers(value: Any, place: Place = ()) -> Iterator[tuple[Place, float, str]]:
    """Place and value of what calls itself a number and is none to count with, and why."""
    if isinstance(value, float) and not isfinite(value):
        yield place, value, f"{value} is no number"
    elif isinstance(value, int) and abs(value) >= LARGEST:
        yield place, value, f"{value} is not below 2 ** 63"
    elif isinstance(value, dict | list):
        named = value.items() if isinstance(value, dict) else enumerate(value)
        for name, one in named:
            yield from _numbers(one, (*place, str(name)))


def _hint(value: Any) -> str:
    """What helps where YAML read a number as a text, because it has no point."""
    number = re.fullmatch(r"([+-]?\d+)(\.\d*)?[eE]([+-]?)(\d+)", str(value))
    if not isinstance(value, str) or not number:
        return ""
    whole, fraction, sign, power = number.groups()
    fraction = fraction if fraction and len(fraction) > 1 else ".0"
    return f"Write it as {whole}{fraction}e{sign or '+'}{power}: YAML takes it for a text"
