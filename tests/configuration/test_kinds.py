"""Rows as tables of results name them."""

from lohrec.configuration import kinds


def test_rows_that_ship_are_what_the_paper_calls_them(config) -> None:
    found: dict[str, set[str]] = {"baseline": set(), "own": set(), "teacher": set()}
    for name in config["variants"]:
        found[kinds.of_row(name, config["variants"])].add(name)
    # All methods above the line in Table 1 of the paper, and simple ones.
    paper = {"caser", "hgn", "gru4rec", "bert4rec", "sasrec", "fmlp_rec", "fdsa", "s3_rec"}
    paper |= {"p5_cid", "tiger", "tiger_more", "tiger_more_compact"}
    assert paper | {"popularity", "last_item", "item_cosine", "ease"} <= found["baseline"]
    assert {"lcrec", "lcrec_free", "ensemble"} <= found["teacher"]
    assert {"smooth", "distill", "distill_more", "dtr", "dwr"} <= found["own"]
    # They begin with a model that has only seen one-hot targets, and go on with a teacher's order.
    assert {"dwr_no_distill", "dwr_distance", "top", "random"} <= found["own"]
