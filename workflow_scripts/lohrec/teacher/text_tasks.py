"""Text tasks of a teacher with words: templates filled with items, histories, texts (LC-Rec)."""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from lohrec.data.examples import Examples
from lohrec.identifiers.codewords import written
from lohrec.teacher.texts import Texts

SETTINGS = {
    "templates": {
        "type": "string", "pattern": "^[^{}]+$", "words": "a path without { and }",
        "default": "config/tasks/english.yaml",
        "description": "YAML with the phrasings of the tasks.",
    },
    "user_texts": {
        "type": ["string", "null"], "pattern": "^[^{}]+$", "words": "a path without { and }",
        "default": None,
        "description": "JSON with texts of users, for the tasks preference and intention.",
    },
    "mixture": {
        "sequential": {
            "type": "number", "minimum": 0, "default": 1.0,
            "description": (
                "How often each sample of this task comes in an epoch, on average: the next item."
            ),
        },
        "item_to_index": {
            "type": "number", "minimum": 0, "default": 1.0,
            "description": (
                "How often each sample of this task comes in an epoch, on average: an item's "
                "semantic ID from its text."
            ),
        },
        "index_to_item": {
            "type": "number", "minimum": 0, "default": 1.0,
            "description": (
                "How often each sample of this task comes in an epoch, on average: its text from "
                "its semantic ID."
            ),
        },
        "history_to_title": {
            "type": "number", "minimum": 0, "default": 0.2,
            "description": (
                "How often each sample of this task comes in an epoch, on average: the next "
                "item's title."
            ),
        },
        "titles_to_index": {
            "type": "number", "minimum": 0, "default": 0.2,
            "description": (
                "How often each sample of this task comes in an epoch, on average: the next item "
                "from titles."
            ),
        },
        "preference": {
            "type": "number", "minimum": 0, "default": 0.0,
            "description": (
                "How often each sample of this task comes in an epoch, on average: a user's taste "
                "in words."
            ),
        },
        "intention": {
            "type": "number", "minimum": 0, "default": 0.0,
            "description": (
                "How often each sample of this task comes in an epoch, on average: an item from a "
                "wish in words."
            ),
        },
    },
    "limit": {
        "type": ["integer", "null"], "minimum": 1, "default": None,
        "description": "Most samples of a task in an epoch.",
    },
    "characters": {
        "type": "integer", "minimum": 1, "default": 600,
        "description": "Most characters of a description.",
    },
}  # fmt: skip

# The fields a task's phrasings may use.
FIELDS = {
    "sequential": {"history", "target"},
    "item_to_index": {"title", "description", "index"},
    "index_to_item": {"title", "description", "index"},
    "history_to_title": {"history", "target_title", "target_description"},
    "titles_to_index": {"titles", "target"},
    "preference": {"history", "preference"},
    "intention": {"history", "intention", "target"},
}
OF_ITEMS = {"item_to_index", "index_to_item"}
OF_USERS = {"preference", "intention"}  # need texts that somebody wrote or generated


@dataclass(frozen=True)
class Phrasing:
    """A prompt and its response, with {fields}."""

    prompt: str
    response: str

    @property
    def fields(self) -> set[str]:
        """Names of the fields in both."""
        parts = string.Formatter().parse(self.prompt + self.response)
        return {name for _, name, _, _ in parts if name is not None}


def read_templates(path: str | Path) -> dict[str, list[Phrasing]]:
    """{task: phrasings} of a file like config/tasks/english.yaml.

    Raises:
        ValueError: the file is of another form, a task or field is unknown, or `sequential`
            cannot recommend.
    """
    content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    tasks = content.get("tasks") if isinstance(content, dict) else None
    if not isinstance(tasks, dict):
        raise ValueError(f"{path} must read tasks: {{TASK: [{{prompt: TEXT, response: TEXT}}]}}.")
    templates = {}
    for task, rows in tasks.items():
        if task not in FIELDS:
            raise ValueError(f"{path}: there is no task {task!r}; choose from {sorted(FIELDS)}.")
        if not isinstance(rows, list) or not rows or not all(map(_is_phrasing, rows)):
            raise ValueError(
                f"{path}: {task} must be a list of phrasings, "
                "each {prompt: TEXT, response: TEXT}."
            )
        templates[task] = [Phrasing(**row) for row in rows]
        for phrasing in templates[task]:
            if unknown := phrasing.fields - FIELDS[task]:
                raise ValueError(
                    f"{path}: {task} has no field {sorted(unknown)}; use {sorted(FIELDS[task])}."
                )
    first = templates.get("sequential", [Phrasing("", "")])[0]
    if "{history}" not in first.prompt or first.response != "{target}":
        raise ValueError(
            f"{path}: the first phrasing of sequential recommends. Its prompt must hold "
            "{history} and its response must be {target} and nothing else."
        )
    return templates


def _is_phrasing(row: object) -> bool:
    return (
        isinstance(row, dict)
        and row.keys() == {"prompt", "response"}
        and all(isinstance(part, str) for part in row.values())
    )


class TextTasks:
    """All samples that can be made of a train split.

    Args:
        examples: the train split.
        ids: int (items, 4).
        texts: of the items; an item without one has empty strings.
        templates: what `read_templates` returned.
        characters: most of a description.
    """

    def __init__(
        self,
        examples: Examples,
        ids: np.ndarray,
        texts: Texts,
        templates: dict[str, list[Phrasing]],
        characters: int,
    ) -> None:
        self.examples, self.texts, self.templates = examples, texts, templates
        self.index = written(ids)
        self.descriptions = [text[:characters] for text in texts.descriptions]
        # The last example of each user: the only one that a user's text is paired with.
        self._last = {int(user): row for row, user in enumerate(examples.user)}
        self._populations: dict[str, np.ndarray] = {}

    def population(self, task: str) -> np.ndarray:
        """What samples are made of: items, or rows of the train examples, that a phrasing fits."""
        if task not in self._populations:
            self._populations[task] = self._population(task)
        return self._populations[task]

    def _population(self, task: str) -> np.ndarray:
        if task in OF_ITEMS:
            every = np.arange(len(self.index))
        elif task in OF_USERS:
            by_user = getattr(self.texts, task)
            rows = [row for user, row in self._last.items() if by_user.get(user)]
            every = np.array(rows, np.int64)
        else:
            every = np.arange(len(self.examples))
        if task == "sequential" or not len(every):
            return every
        fitting = [index for index in every.tolist() if self._fitting(task, index)]
        return np.array(fitting, np.int64)

    def sample(self, task: str, index: int, rng: np.random.Generator) -> tuple[str, str]:
        """One sample's prompt and response, in a phrasing drawn from those that fit."""
        phrasings = self._fitting(task, index)
        phrasing = phrasings[rng.integers(len(phrasings))]
        values = self._values(task, index, rng)
        return phrasing.prompt.format(**values), phrasing.response.format(**values)

    def _fitting(self, task: str, index: int) -> list[Phrasing]:
        values = self._values(task, index, None)
        return [p for p in self.templates[task] if all(values[name] for name in p.fields)]

    def _values(self, task: str, index: int, rng: np.random.Generator | None) -> dict[str, str]:
        titles = self.texts.titles
        if task in OF_ITEMS:
            return {
                "index": self.index[index],
                "title": titles[index],
                "description": self.descriptions[index],
            }
        examples = self.examples
        target = int(examples.sequences[examples.stop[index]])
        history = examples.sequences[examples.start[index] : examples.stop[index]].tolist()
        values = {
            "history": history_text([self.index[item] for item in history]),
            "target": self.index[target],
        }
        if task == "history_to_title":
            values |= {"target_title": titles[target]}
            values |= {"target_description": self.descriptions[target]}
        elif task == "titles_to_index":
            values["titles"] = "\n".join(titles[item] for item in history if titles[item])
        elif task in OF_USERS:
            text = getattr(self.texts, task)[int(examples.user[index])]
            if task == "preference":
                text = text[rng.integers(len(text)) if rng else 0]
            values[task] = text
        return values


def history_text(indices: Sequence[str]) -> str:
    """Identifiers one after the other; their levels tell where each begins."""
    return "".join(indices)


def draw(
    tasks: TextTasks, mixture: dict[str, float], limit: int | None, rng: np.random.Generator
) -> list[tuple[str, int]]:
    """The samples of one epoch in random order.

    Args:
        mixture: {task: how often each of its samples comes in an epoch, on average}.
        limit: most samples of a task in an epoch; None for no limit.

    Raises:
        ValueError: there are no templates for a task of the mixture.
    """
    chosen = []
    for task in sorted(mixture):
        if mixture[task] and task not in tasks.templates:
            raise ValueError(
                f"tasks.mixture asks for {task}, which the file of templates does not have. Add a "
                "phrasing of it there, or set its share to 0."
            )
        every = tasks.population(task) if mixture[task] else np.empty(0, np.int64)
        count = round(mixture[task] * len(every))
        count = count if limit is None else min(count, limit)
        order = [rng.permutation(every) for _ in range(-(-count // max(1, len(every))))]
        chosen += [(task, int(index)) for index in np.concatenate([[], *order])[:count]]
    return [chosen[i] for i in rng.permutation(len(chosen))]
