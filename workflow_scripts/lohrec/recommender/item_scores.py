"""Recommenders that give every item a probability: a list is the head of their order."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lohrec.common.job_log import progress
from lohrec.identifiers.beam_search import TreeSteps
from lohrec.identifiers.mixtures import ItemSteps, most_users
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.lists import Ranked
from lohrec.recommender.recommender import Histories, Recommender


class Best(NamedTuple):
    """The most probable items of each user, both (users, top).

    Attributes:
        item: int64, -1 where a list ends.
        score: float, log-probabilities.
    """

    item: Tensor
    score: Tensor


class ItemScores(Recommender):
    """A recommender that computes a distribution over all items from a history."""

    @abstractmethod
    def log_probabilities(self, histories: Histories) -> Tensor:
        """Float (users, items), finite; their exponentials add up to 1 over the items.

        On the CPU or the recommender's device.
        """

    def steps(self, histories: Histories, tree: PrefixTree) -> TreeSteps:
        """The sums of the probabilities of all items below a prefix."""
        with torch.inference_mode():
            return ItemSteps(self.log_probabilities(histories).to(tree.item.device), tree)

    def at_once(self, wanted: int) -> int:
        """No more than memory is meant to hold distributions of; see `mixtures.ItemSteps`."""
        return min(wanted, most_users(len(self.catalogue)))

    def rank(self, histories: Histories, top: int, exclude_history: bool) -> Ranked:
        """The most probable items; equal ones of a list come in the order of item numbers."""
        users, items = len(histories.length), len(self.catalogue)
        item = np.full((users, min(top, items)), -1)
        score = np.zeros(item.shape, dtype=np.float32)
        with torch.inference_mode():
            for rows, part in parts(histories, items, "recommending"):
                found = best(self.log_probabilities(part), part, top, exclude_history)
                item[rows], score[rows] = found.item.cpu().numpy(), found.score.cpu().numpy()
        return Ranked.of_items(item, score)


def best(log_p: Tensor, histories: Histories, top: int, exclude_history: bool) -> Best:
    """The most probable items of each user; equal ones in the order of their numbers.

    Args:
        log_p: float (users, items).
        histories: of the users.
        top: items of a list; there are no more than the catalogue has.
        exclude_history: leave out the items of a user's history.
    """
    if exclude_history:
        log_p = without_own(log_p, histories)
    top = min(top, log_p.shape[1])
    score, item = log_p.topk(top)
    # Where more items are as good as the last one of a list, topk takes any of them.
    tied = ((log_p >= score[:, -1:]).sum(1) > top) & (score[:, -1] > -torch.inf)
    if tied.any():
        ordered = log_p[tied].sort(descending=True, stable=True)
        score[tied], item[tied] = ordered.values[:, :top], ordered.indices[:, :top]
    item, order = item.sort()
    score, place = score.gather(1, order).sort(descending=True, stable=True)
    item = item.gather(1, place)
    return Best(item.masked_fill(score == -torch.inf, -1), score)


def without_own(log_p: Tensor, histories: Histories) -> Tensor:
    """The table (users, items) with -inf at the items of the users' own histories."""
    read = torch.from_numpy(histories.items).to(log_p.device)
    # Padding repeats the first item, which every history has.
    return log_p.scatter(1, read.where(read >= 0, read[:, :1]), -torch.inf)


def parts(
    histories: Histories, items: int, description: str
) -> Iterator[tuple[np.ndarray, Histories]]:
    """Users of like length together, `most_users` of them at once.

    Yields:
        places of the users, and their histories without padding that none of them needs.
    """
    order = np.argsort(histories.length, kind="stable")
    size = most_users(items)
    batches = np.split(order, range(size, len(order), size))
    for rows in progress(batches, description, unit="batch"):
        length = histories.length[rows]
        yield rows, Histories(histories.items[rows, : length.max(initial=0)], length)
