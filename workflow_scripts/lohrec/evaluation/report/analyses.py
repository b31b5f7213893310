"""Sections of a report that show one artefact each: Tables 2 to 5, Figures 1, 3 and 4."""

from typing import Any

from lohrec.evaluation import beam_widths, diversity, tables
from lohrec.evaluation.report.accuracy import figure
from lohrec.evaluation.report.tables import MARKS, Cell, Figure, Section, Table, cells, ranked


def measured(
    name: str,
    title: str,
    of: dict[str, dict[str, Any]],
    split: str,
    labels: dict[str, str],
    printed: dict[str, list[float]] | None = None,
) -> Table:
    """Recall, NDCG and diversity at the largest cutoff of some variants.

    Without intervals nobody can tell which of them is the best, so none is marked.

    Args:
        of: {variant: what its metrics.json holds}.
        labels: {variant: what the table calls it}, in order.
        printed: the paper's figures of the same, if its data is ours.
    """
    first = next(iter(of.values()))[split]
    largest = max(int(n.removeprefix("recall@")) for n in first if n.startswith("recall@"))
    metrics = [f"{metric}@{largest}" for metric in ("recall", "ndcg", "diversity")]
    header = ["", "seeds", *map(tables.label, metrics)]
    printed = printed if largest == 10 else None  # as the paper's
    if printed:
        header += [f"{tables.label(m)}, paper" for m in metrics]
    rows = [
        cells(
            [
                Cell(label, small=variant),
                str(len(of[variant]["seeds"])),
                *(figure(of[variant][split][m]) for m in metrics),
                *(f"{value:.4f}" for value in (printed or {}).get(variant, [])),
            ]
        )
        for variant, label in labels.items()
    ]
    return Table(name, f"{title}, {of[next(iter(labels))]['users']:,} users", header, rows)


def ablation(
    of: dict[str, dict[str, Any]], names: dict[str, str], printed: dict[str, list[float]]
) -> Section:
    """Table 2: DWR without its parts, on the dev set as in the paper, and on the test set.

    Args:
        of: {variant: what its metrics.json holds}.
        names: {variant: its name in the table}.
        printed: the paper's figures of these data by variant, if it has any.
    """
    shown = [
        measured("table_2 dev", "Table 2: dev set", of, "dev", names, printed),
        measured("table_2 test", "The same on the test set", of, "test", names),
    ]
    text = [
        "DWR without its parts. There are no intervals here, and the rows differ in how long they "
        "train: DWR goes on from w/o RANK, and w/o DISTILL from w/o All. So a difference is not "
        "what a part adds. For equal steps see `distill_more` and `tiger_more`, or the same with "
        "`_compact`, which go on as long without ranking, and for intervals Table 1."
    ]
    if printed and next(iter(of.values()))["exclude_history"]:
        text[0] += " The paper's lists keep items of a user's own history, ours leave them out."
    return Section("table-2", "Ablation (Table 2)", text, shown)


def priors(
    of: dict[str, dict[str, Any]], names: dict[str, str], held: dict[str, dict[str, Any]]
) -> Section:
    """Appendix B: other orders of the candidates.

    Args:
        of: {variant: what its metrics.json holds}.
        names: {variant: its prior}.
        held: {prior: what it holds, as order_candidates.py counts it}.
    """
    rows = []
    for prior, one in held.items():
        beams = one.get("beams", {})
        shares = ("invalid_share", "empty_share", "target_share")
        found = [f"{beams[n]:.1%}" if beams else "-" for n in shares]
        filled = (f"{one[n]:.1%}" for n in ("full_share", "target_only_share"))
        mean = f"{one['mean_candidates']:.2f}"
        rows.append(cells([prior, f"{one['examples']:,}", mean, *filled, *found]))
    header = ["", "train examples", "candidates, mean", "full lists", "lists of the target alone"]
    header += ["beams that are no item", "examples without a beam that is", "with the target"]
    note = (
        "A beam of the teacher's that is no item is left out, and nothing takes its place: such a "
        "list is not full, and one without any other item has the target alone. The last two "
        "columns are shares of examples."
    )
    shown = [
        measured("priors", "Orders of the candidates, test set", of, "test", names),
        Table("candidates", "What the orders hold", header, rows, note),
    ]
    text = [
        "The rows differ in which candidates the ranking loss orders: the teacher's (Eq. 15), real "
        "items by the distance of their identifiers to the target's (Eq. 18), or items that are "
        "chosen by the same users (Appendix B.2). There are no intervals here."
    ]
    return Section("priors", "Other orders of candidates (Appendix B)", text, shown)


def statistics(found: dict[str, Any], paper: dict[str, Any] | None) -> Section:
    """Table 3."""
    labels = {
        "users": "users",
        "items": "items",
        "interactions": "interactions",
        "sparsity": "sparsity",
        "average_length": "items a user",
    }
    sources = [("this run", found), *([("paper", paper["table_3"])] if paper else [])]
    rows = [
        cells(
            [
                name,
                *(f"{of[key]:,}" for key in ("users", "items", "interactions")),
                f"{of['sparsity']:.2%}",
                f"{of['average_length']:.2f}",
            ]
        )
        for name, of in sources
    ]
    note = ""
    if paper:
        note = "The paper counts one user and one item more: a row of padding."
        of_paper = paper["table_3"]
        if abs(of_paper["interactions"] / of_paper["users"] - of_paper["average_length"]) > 0.005:
            note += (
                " Its interactions over its users are not its items a user, so that one of the "
                "three is a slip."
            )
    shown = [Table("table_3", "Table 3: data", ["", *labels.values()], rows, note)]
    splits = [cells([split, f"{found[split]:,}"]) for split in ("train", "dev", "test")]
    shown.append(Table("splits", "Examples", ["split", "examples"], splits))
    return Section("data", "Data (Table 3)", [], shown)


def codebooks(quality: dict[str, Any]) -> Section:
    """How identifiers use their codebooks."""
    last = list(quality["steps"].values())[-1]
    header = ["level", "codewords in use", "perplexity", "distinct prefixes"]
    rows = [
        cells([str(one["level"]), str(one["use"]), f"{one['perplexity']:.1f}", f"{one['nodes']:,}"])
        for one in last["levels"]
    ]
    text = [
        f"{last['items']:,} items have {last['distinct']:,} distinct identifiers; "
        f"{last['colliding_items']:,} items share theirs with another."
    ]
    shown = [Table("codebooks", "Use of the codebooks", header, rows)]
    return Section("identifiers", "Semantic IDs", text, shown)


def widths(vectors: str, result: dict[str, Any], drawn: str) -> Section:
    """Figures 1 and 3.

    Args:
        vectors: what diversity is of; of a model's own there are no marks.
        result: what beam_widths.json holds.
        drawn: the figure of the same.
    """
    shown = []
    for metric, variants in result["metrics"].items():
        held = diversity.comparable(metric, vectors) and metric != beam_widths.INVALID
        at_widths = zip(*variants.values(), strict=True)
        columns = [ranked([v if held else None for v in at]) for at in at_widths]
        rows = [
            cells(
                [
                    name,
                    *(Cell(f"{v:.4f}", at[place]) for v, at in zip(values, columns, strict=True)),
                ]
            )
            for place, (name, values) in enumerate(variants.items())
        ]
        header = ["method", *(f"{width} beams" for width in result["beams"])]
        title = beam_widths.title(metric)
        shown.append(Table(f"widths: {metric}", title, header, rows, folded=True))
    said = f"{MARKS}; of invalid identifiers none is marked.{diversity.said(vectors)}"
    heading = "Width of the beam (Figures 1 and 3)"
    figures = [Figure(drawn, f"By beam width, test set, {result['users']:,} users")]
    return Section("widths", heading, [beam_widths.NOTE, said], shown, figures)


def alignment(result: dict[str, Any], drawn: str) -> Section:
    """Figure 4, right."""
    top, measures = result["top"], ("coverage", "coordination")
    columns = [[of[m]["mean"] for of in result["variants"].values()] for m in measures]
    marks = [ranked(column) for column in columns]
    rows = [
        cells(
            [
                name,
                *(
                    Cell(
                        f"{of[m]['mean']:.4f}",
                        mark[place],
                        f"[{of[m]['low']:.4f}, {of[m]['high']:.4f}]",
                    )
                    for m, mark in zip(measures, marks, strict=True)
                ),
            ]
        )
        for place, (name, of) in enumerate(result["variants"].items())
    ]
    text = [
        f"The teacher is `{result['teacher']}`. Coverage: the share of its {top} items that a list "
        f"has too. Coordination: the longest common subsequence of both lists, over {top}. Of the "
        "first seed, with 95 % intervals over users alone. The paper's Ref is TIGER. Its Rank is "
        "DWR, which has learned the teacher's probabilities too, or DWR without them. Top and "
        "Random learn the teacher's first item, or a random one, the target where there is none. "
        f"{MARKS}."
    ]
    table = Table(
        "alignment", "Lists against the teacher's", ["method", *map(str.capitalize, measures)], rows
    )
    title = f"Coverage and Coordination, {result['users']:,} test users"
    return Section(
        "alignment",
        "Alignment with the teacher (Figure 4, right)",
        text,
        [table],
        [Figure(drawn, title)],
    )


def embeddings(result: dict[str, Any], drawn: str) -> Section:
    """Figure 4, left."""
    models = result["models"]
    measures = ("neighbours_shared", "cka")
    marks = [ranked([of[m] for of in models.values()], digits=3) for m in measures]
    rows = [
        cells([name, Cell(f"{of['neighbours_shared']:.1%}", near), Cell(f"{of['cka']:.3f}", cka)])
        for (name, of), near, cka in zip(models.items(), *marks, strict=True)
    ]
    rows.append(cells(["by chance", f"{result['by_chance']:.1%}", "-"]))
    near = f"of {result['neighbours']} nearest items, shared with the teacher"
    text = [
        "Of the first seed. "
        "The maps are one projection: an item is pulled to where it lies in the map before. "
        "Distances on a map say little; the table is of the full spaces. CKA is 1 where two models "
        "have the items at the same places up to a turn and a scale, and near 0 where they have "
        f"nothing in common. Where items were drawn, neighbours are of these. {MARKS}."
    ]
    table = Table(
        "embeddings", "Closeness to the teacher's embeddings", ["method", near, "linear CKA"], rows
    )
    title = f"Maps of {result['items']:,} of {result['of']:,} items as models embed them"
    return Section(
        "embeddings",
        "Embeddings of the items (Figure 4, left)",
        text,
        [table],
        [Figure(drawn, title)],
    )


def cases(found: list[dict[str, Any]]) -> Section:
    """Tables 4 and 5: lists of single users."""
    shown = []
    for case in found:
        names = list(case["lists"])
        longest = max(len(lists) for lists in case["lists"].values())
        rows = []
        for place in range(longest):
            row: list[str | Cell] = [str(place + 1)]
            for name in names:
                listed = case["lists"][name]
                one = listed[place] if place < len(listed) else None
                mark = "best" if one and one["target"] else ""
                taught = "the teacher's too" if one and one["taught"] else ""
                row.append(Cell(one["item"], mark, taught) if one else Cell(""))
            rows.append(cells(row))
        history, shown_of = "; ".join(case["history"]), ""
        if case["bought"] > len(case["history"]):
            shown_of = f" (the last {len(case['history'])} of {case['bought']})"
        note = f"Bought before, oldest first{shown_of}: {history}. Bought next: {case['target']}."
        shown.append(
            Table(
                f"case: user {case['user']}",
                f"User {case['user']}",
                ["place", *names],
                rows,
                note,
                words=True,
            )
        )
    text = [
        "Test users drawn at random, not chosen for what they show; lists are of the first seed. "
        "Bold: what came next. The last column is the teacher."
    ]
    return Section("cases", "Lists of single users (Tables 4 and 5)", text, shown)
