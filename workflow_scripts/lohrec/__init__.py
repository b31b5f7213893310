"""LOHRec: a small generative recommender that has learned the taste of a large language model."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lohrec.recommender.recommender import Recommender as Recommender

__all__ = ["Recommender"]


def __getattr__(name: str) -> Any:
    """`lohrec.Recommender`, imported when it is asked for: the workflow itself needs no torch."""
    if name == "Recommender":
        return import_module("lohrec.recommender.recommender").Recommender
    raise AttributeError(f"lohrec has no {name!r}.")
