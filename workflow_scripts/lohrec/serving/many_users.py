"""Lists for all users of a file, batch by batch, so that memory does not grow with them."""

from dataclasses import dataclass

from lohrec.common.job_log import progress
from lohrec.recommender.recommender import Recommender
from lohrec.serving.list_files import Write
from lohrec.serving.user_histories import Histories


@dataclass
class Counts:
    """What the histories held.

    Attributes:
        users: lists that were written.
        cold: those of the most popular items, for want of a known one in the history.
        items, unknown: interactions, and those with items that the recommender does not know.
        example: one such item.
    """

    users: int = 0
    cold: int = 0
    items: int = 0
    unknown: int = 0
    example: str = ""

    def __str__(self) -> str:
        said = f"{self.users:,} list{'s' * (self.users != 1)}"
        if self.cold:
            said += f", {self.cold:,} of them the most popular items (no known item in the history)"
        if self.unknown:
            said += (
                f"; {self.unknown:,} of {self.items:,} interactions have items that the "
                f"recommender does not know, {self.example!r} first, and are left out"
            )
        return said


def recommend(
    recommender: Recommender,
    histories: Histories,
    write: Write,
    top: int,
    exclude_history: bool | None,
    batch: int,
) -> Counts:
    """Make the lists of all users.

    Args:
        write: takes those of some users, see `list_files.opened`.
        top, exclude_history: see `Recommender.recommend`.
        batch: users at once.

    Raises:
        ValueError: no item of any history is known, though there are some.
    """
    catalogue, counts = recommender.catalogue, Counts()
    with progress(None, "recommend", total=histories.users, unit="user") as bar:
        for users in histories.batches(batch):
            given = [user.items for user in users]
            lists = recommender.recommend(given, top, exclude_history)
            counts.users += len(users)
            counts.cold += int(lists.cold.sum())
            counts.items += sum(map(len, given))
            counts.unknown += int(lists.unknown.sum())
            if counts.unknown and not counts.example:
                names = (item for items in given for item in items)
                counts.example = next(item for item in names if item not in catalogue.number)
            write([user.user for user in users], lists)
            bar.update(len(users))
    if counts.items and counts.unknown == counts.items:
        raise ValueError(
            f"None of the {counts.items:,} interactions has an item that the recommender knows: "
            f"{counts.example!r} is one, and its names are like {catalogue.names[0]!r}. Check "
            "what the column item holds."
        )
    return counts
