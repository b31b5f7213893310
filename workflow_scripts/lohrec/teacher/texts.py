"""Texts of items and users, as the tasks of a teacher with words need them (LC-Rec)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow.parquet as pq

from lohrec.common import artefacts


@dataclass(frozen=True)
class Texts:
    """Texts of items and users.

    Attributes:
        titles, descriptions: one an item; may be empty.
        preference: {user: texts on what the user likes}.
        intention: {user: text on what the user looked for at the last train target}.
    """

    titles: Sequence[str]
    descriptions: Sequence[str]
    preference: dict[int, list[str]] = field(default_factory=dict)
    intention: dict[int, str] = field(default_factory=dict)


def read_texts(inputs: dict[str, str]) -> Texts:
    """Texts of items and, where a file is given, of users.

    The file is JSON: {"preference": {user: [text, ...]}, "intention": {user: text}}, users by the
    names that the reviews have.

    Raises:
        ValueError: the file is of another form, or knows none of the users.
    """
    items = pq.read_table(inputs["catalogue"], columns=["title", "description"]).to_pydict()
    of_users: dict[str, dict[int, Any]] = {}
    if "user_texts" in inputs:
        path = inputs["user_texts"]
        by_task = artefacts.read_json(path)
        _check_user_texts(by_task, path)
        table = pq.read_table(inputs["users"]).to_pydict()
        number = dict(zip(map(str, table["reviewer"]), table["user"], strict=True))
        of_users = {
            task: {number[user]: text for user, text in by_user.items() if user in number}
            for task, by_user in by_task.items()
        }
        for task, by_user in of_users.items():
            print(f"{task}: {len(by_user):,} of {len(by_task[task]):,} users of {path} are known")
        if not any(of_users.values()):
            raise ValueError(f"{path} knows none of the {len(number)} users of this set.")
    return Texts(items["title"], items["description"], **of_users)


def _check_user_texts(by_task: object, path: str) -> None:
    form = '{"preference": {user: [text, ...]}, "intention": {user: text}}'
    if not isinstance(by_task, dict) or not by_task.keys() <= {"preference", "intention"}:
        raise ValueError(f"{path} must read {form}.")
    for task, by_user in by_task.items():
        if not isinstance(by_user, dict):
            raise ValueError(f"{path}: {task} must map users to texts: {form}.")
        for user, text in by_user.items():
            texts = text if task == "preference" else [text]
            if not (isinstance(texts, list) and texts and all(isinstance(t, str) for t in texts)):
                raise ValueError(f"{path}: {task} of user {user!r} is {text!r}; wanted: {form}.")
