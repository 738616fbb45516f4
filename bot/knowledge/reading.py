"""Reads YAML files and says what is wrong with them in words that an editor can act on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

_ID = re.compile(r"^\s*-\s+(?:\{\s*)?(?:id|fact|topic):\s*['\"]?([\w-]+)")
# What the parser says, and what an editor can do about it.
_PROBLEMS = (
    ("tab character", "a tab stands here; use spaces"),
    ("cannot start any token", "a tab or a sign stands where a value begins; use spaces, and put the value in quotes"),
    ("end of stream", "a quote or bracket that opens here is not closed; close it"),
    (
        "mapping values",
        "a colon where none can be, or a field that is indented otherwise than the one above it; put a text that "
        "contains a colon in quotes, and align the fields",
    ),
    ("expected", "a line is indented otherwise than those above it, or a bracket or quote is not closed; align it"),
)
# What the schema says, by pydantic's name for it.
_FAULTS = {
    "value_error.missing": "is missing; add it",
    "value_error.extra": "is no field of this record; remove or correct its name",
    "type_error.none.not_allowed": "is empty; write a value",
    "value_error.any_str.min_length": "is empty; write a value",
    "type_error.tuple": "is a single value, but a list is needed; put it in square brackets, like [back]",
    "type_error.str": "is no plain text; write it in quotes",
    "type_error.integer": "is no whole number; write one",
    "type_error.bool": "is neither true nor false; write one of them",
    "type_error.dict": "is not a record; write it as fields with values",
    "value_error.str.regex": "has characters that an id cannot have; use a to z, 0 to 9, - and _",
    "value_error.const": "'{value}' is not one of the allowed values; use {permitted}",
}


class FileFault(Exception):
    """A file that cannot be read; the message names file, line, record and remedy."""


class _Strict(yaml.CSafeLoader):
    """YAML in which a field that stands twice is a fault; by itself YAML keeps the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Makes a mapping (see parent)."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                problem = f"'{key.value}' stands twice in the same record; keep one, or begin a new record with a dash"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return dict(super().construct_mapping(node, deep))


def read_file(folder: Path, name: str) -> dict[str, Any]:
    """Reads one file of records.

    Raises:
        FileFault: It is missing, is no YAML, or has something else than named lists at its top.
    """
    try:
        text = (folder / name).read_text(encoding="utf-8-sig")
        data = yaml.load(text, Loader=_Strict)
    except FileNotFoundError as error:
        raise FileFault(f"{name}: missing; restore it from the repository") from error
    except UnicodeDecodeError as error:
        raise FileFault(f"{name}: is not saved as UTF-8; save it again with the encoding UTF-8") from error
    except yaml.YAMLError as error:
        raise FileFault(f"{name}: {_where(error, text)}: {_problem(error)}") from error
    if not isinstance(data, dict):
        raise FileFault(f"{name}: does not begin with the name of its list, such as 'facts:'; add that line")
    return data


def _where(error: yaml.YAMLError, text: str) -> str:
    """Gives the line, and the record that it belongs to."""
    mark = getattr(error, "problem_mark", None)
    if "end of stream" in str(getattr(error, "problem", "")):
        mark = getattr(error, "context_mark", None) or mark  # where the quote opens, not where the file ends
    if mark is None:
        return "the file"
    lines = text.splitlines()[: mark.line + 1]
    record = next((found.group(1) for line in reversed(lines) if (found := _ID.match(line))), None)
    return f"line {mark.line + 1}" + (f", in {record}" if record else "")


def _problem(error: yaml.YAMLError) -> str:
    problem = str(getattr(error, "problem", None) or "not YAML")
    return next((plain for part, plain in _PROBLEMS if part in problem), problem)


def plain_faults(error: ValidationError) -> Iterator[str]:
    """Gives the faults of a record, each with field and remedy."""
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"])
        values = {"value": item.get("ctx", {}).get("given", "value"), "permitted": _permitted(item.get("ctx", {}))}
        # Our own messages are complete, and may speak of braces.
        fault = _FAULTS[item["type"]].format(**values) if item["type"] in _FAULTS else item["msg"]
        yield f"{field}: {fault}"


def _permitted(context: dict[str, Any]) -> str:
    return ", ".join(str(value) for value in context.get("permitted", ()))


def perhaps(wrong: str, known: Iterable[str]) -> str:
    """Gives the known id that somebody may have meant, as a remark, or nothing."""
    near = get_close_matches(wrong, list(known), 1, 0.75)
    return f" (did you mean '{near[0]}'?)" if near else ""
