"""Lists of single users: what they have bought, shown from the end, and what is left out."""

from dataclasses import replace

import numpy as np

from lohrec.data.examples import Examples
from lohrec.evaluation import cases
from lohrec.evaluation.ranked_lists import RankedLists


def test_older_items_are_counted() -> None:
    # The first user has bought four items and then item 4, of which two are read; the second one.
    items = np.array([0, 1, 2, 3, 4, 5, 6], dtype=np.int32)
    test = Examples(items, np.array([0, 1]), np.array([2, 5]), np.array([4, 6]))
    one = np.ones(4, dtype=np.int64)
    lists = RankedLists(
        np.array([0, 1]), np.array([0, 2, 4]), np.array([4, 6, 6, 0]), one, one, one
    )
    # The teacher has the first user's items in another order, and none of the second one's.
    theirs = replace(lists, item=np.array([6, 4, 1, 2]))
    names = [f"item {number}" for number in range(7)]
    long, short = cases.chosen(
        test, np.array([0, 1]), names, {"mine": lists, "lcrec": theirs}, "lcrec", 10
    )
    assert (long["history"], long["bought"]) == (["item 2", "item 3"], 4)
    assert (short["history"], short["bought"]) == (["item 5"], 1)
    assert long["lists"]["mine"][0] == {"item": "item 4", "target": True, "taught": True}
    taught = {
        name: [item["taught"] for user in (long, short) for item in user["lists"][name]]
        for name in ("mine", "lcrec")
    }
    assert taught == {"mine": [True, True, False, False], "lcrec": [False] * 4}
    assert cases.page("shop", [long], "lcrec").count("2 older items are left out.") == 1
    assert "older items" not in cases.page("shop", [short], "lcrec")
