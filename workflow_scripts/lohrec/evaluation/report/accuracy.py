"""What a report takes from comparison.json: Table 1, gains; and the paper's cells."""

from typing import Any

from lohrec.evaluation import comparison_page, diversity, significance, tables
from lohrec.evaluation.recommendations import own_items
from lohrec.evaluation.report import paper
from lohrec.evaluation.report.tables import MARKS, Cell, Figure, Section, Table, cells, ranked

KINDS = {"baseline": "baseline", "own": "this method", "teacher": "teacher"}
SURE = 0.05
PRINTED = ["recall@5", "recall@10", "ndcg@5", "ndcg@10"]  # in the paper's Table 1


class Accuracy:
    """The figures of one split of a comparison.

    Args:
        comparison: what comparison.json holds; see compare.py.
        split: one of its splits.
    """

    def __init__(self, comparison: dict[str, Any], split: str) -> None:
        part, self.own = comparison["splits"][split], own_items(split, comparison)
        self.split = split
        self.users, self.slices = part["users"], part["slices"]
        self.variants: dict[str, Any] = part["variants"]
        self.reference, self.level = comparison["reference"], comparison["level"]
        self.resamples, self.kinds = comparison["resamples"], comparison["kinds"]
        self.diversity = comparison["diversity"]
        first = next(iter(self.variants.values()))["metrics"]
        cutoffs = sorted(int(n.removeprefix("recall@")) for n in first if n.startswith("recall@"))
        self.metrics = [f"{name}@{k}" for name in ("recall", "ndcg") for k in cutoffs]
        self.largest, self.paired = cutoffs[-1], comparison["paired"]
        _, self.tied = comparison_page.shown_metrics(
            {name: variant["metrics"] for name, variant in self.variants.items()}
        )
        for name, variant in self.variants.items():
            means = {metric: entry["mean"] for metric, entry in variant["metrics"].items()}
            tables.check(means, f"{name}, {split}")

    def figure(self, variant: str, metric: str, mark: str = "") -> Cell:
        """Mean, and standard deviation over seeds."""
        return figure(self.variants[variant]["metrics"][metric], mark)

    def best_baseline(self) -> str | None:
        """The baseline whose NDCG at the largest cutoff is the highest."""
        baselines = [name for name in self.variants if self.kinds[name] == "baseline"]
        return max(baselines, key=self._ndcg, default=None)

    def shortened(self) -> list[str]:
        """All rows but for baselines other than the best one and the reference."""
        kept = (self.reference, self.best_baseline())
        return [n for n in self.variants if n in kept or self.kinds[n] != "baseline"]

    def headline(self, forest: str) -> Section:
        """The reference, the best baseline and this method's rows, with what they gain."""
        best, shown = self.best_baseline(), self.shortened()
        columns = [f"{metric}@{self.largest}" for metric in ("recall", "ndcg", "diversity")]
        marks = self._marks(list(self.variants), columns)  # as in Table 1
        over = {self.reference: "difference"}
        if best is not None:
            over.setdefault(best, "over_best_baseline")
        last = f"ndcg@{self.largest}"
        rows = [
            cells(
                [
                    Cell(name, small=KINDS[self.kinds[name]]),
                    *(self.figure(name, m, marks.get((name, m), "")) for m in columns),
                    *(self._gain(name, last, kind, None) for kind in over.values()),
                ]
            )
            for name in shown
        ]
        header = ["", *map(tables.label, columns)]
        header += [f"{tables.label(last)} against {name}" for name in over]
        note = (
            f"The best baseline is the one with the highest {tables.label(last)}; Table 1 has all, "
            "and marks are of all. "
            f"{self._intervals('Gain', 'difference')} Intervals are not corrected for the number "
            "of comparisons; the p values of Table 1 are. "
            f"{self.shades()}{diversity.said(self.diversity)}"
        )
        table = Table("headline", "In short", header, rows, note)
        title = f"Differences to {self.reference} on the test set, {self.users:,} users"
        return Section("headline", "Results", [], [table], [Figure(forest, title)])

    def table_1(self) -> Section:
        """All methods, then gains over the reference and over the best baseline of each metric.

        The main one is of `test`; that of the test users' other lists is named after its split.
        """
        main = self.split == "test"
        added = "" if main else f" {self.split}"
        order = sorted(self.variants, key=lambda name: list(KINDS).index(self.kinds[name]))
        columns = [*self.metrics, f"diversity@{self.largest}", *self.tied]
        marks = self._marks(order, columns)
        rows = [
            cells(
                [
                    Cell(name, small=KINDS[self.kinds[name]]),
                    str(self.variants[name]["seeds"]),
                    *(self.figure(name, m, marks.get((name, m), "")) for m in columns),
                ]
            )
            for name in order
        ]
        header = ["method", "seeds", *map(tables.label, columns)]
        shown = [Table(f"table_1{added}", "Table 1: accuracy", header, rows, self.shades())]
        for kind, against in (
            ("difference", self.reference),
            ("over_best_baseline", "the best baseline of each column"),
        ):
            shown += self._gains(order, kind, against, added)
        shown.append(self._lists(order, added))
        several = any(variant["seeds"] > 1 for variant in self.variants.values())
        text = [
            f"Test set, {self.users:,} users, each with one target among all items. Items of a "
            f"user's own history are {self.own}. Diversity is Eq. 17 on the vectors "
            f"`{self.diversity}`.{diversity.said(self.diversity)}"
            f"{' ± is the standard deviation over seeds.' if several else ''}{self._ties()}"
        ]
        if main:
            return Section("table-1", "Accuracy of all methods (Table 1)", text, shown)
        name = self.split.replace("_", "-")
        return Section(f"table-1-{name}", f"The same with own items {self.own}", text, shown)

    def beside_the_paper(self, printed: dict[str, list[float]]) -> Section:
        """Our cells and those of the paper's Table 1; `PRINTED` must be measured.

        The paper's lists keep items of the history, so ours should too.
        """
        rows, wrong = [], []
        for name, theirs in printed.items():
            mark = "wrong" if paper.contradicts_itself(theirs) else ""
            wrong += [name] if mark else []
            ours = paper.our_row(name, self.variants)
            row: list[str | Cell] = [Cell(name, small=ours if ours and ours != name else "")]
            for metric, value in zip(PRINTED, theirs, strict=True):
                row += [self.figure(ours, metric) if ours else "-", Cell(f"{value:.4f}", mark)]
            rows.append(cells(row))
        header = ["method"]
        for metric in PRINTED:
            header += [f"{tables.label(metric)}, ours", f"{tables.label(metric)}, paper"]
        note = (
            "✗: these four cannot all be right. With one target a user, dR / log2(11) ≤ "
            "NDCG@10 - NDCG@5 ≤ dR / log2(7) must hold, where dR = Recall@10 - Recall@5; "
            f"{', '.join(wrong)} break it beyond rounding. All tables of this page keep it."
        )
        text = [
            f"Reviews of the same category, {self.users:,} test users; items of a user's own "
            f"history are {self.own}, as in the paper. How reviews were prepared, the sizes of the "
            "models and the ranking loss, which is not as printed unless the row is `dwr_printed`, "
            "stand under What was run. -: not among the rows of this dataset."
            f"{self._ties()}"
        ]
        table = Table("paper_table_1", "Table 1 of the paper", header, rows, note if wrong else "")
        return Section("paper", "Beside the paper's own figures", text, [table])

    def _lists(self, order: list[str], added: str) -> Table:
        """Which items all lists together show, and places that none fills."""
        figures = [f"{name}@{self.largest}" for name in ("catalogue_coverage", "gini", "unfilled")]
        exposure = {name: self.variants[name]["exposure"] for name in order}
        rows = [cells([name, *(figure(exposure[name][m]) for m in figures)]) for name in order]
        note = (
            "Catalogue coverage: share of all items that some list shows. Gini: 0 where all items "
            "are shown equally often, near 1 where a few are. Unfilled: share of places at which "
            "no item stands, for nothing is invented where a method finds fewer."
        )
        header = ["method", *map(tables.label, figures)]
        return Table(f"lists{added}", "What the lists show", header, rows, note, folded=True)

    def _ndcg(self, name: str) -> float:
        mean: float = self.variants[name]["metrics"][f"ndcg@{self.largest}"]["mean"]
        return mean

    def _marks(self, names: list[str], metrics: list[str]) -> dict[tuple[str, str], str]:
        """The best and the second best of each metric."""
        of = {m: {n: self.variants[n]["metrics"][m]["mean"] for n in names} for m in metrics}
        return {
            (name, metric): mark
            for metric in metrics
            if diversity.comparable(metric, self.diversity)
            for name, mark in self.ranked(of[metric]).items()
        }

    def ranked(self, means: dict[str, float]) -> dict[str, str]:
        """The best and the second best of a column; teachers are not ranked."""
        names = [name for name in means if self.kinds[name] != "teacher"]
        return dict(zip(names, ranked([means[name] for name in names]), strict=True))

    def shades(self) -> str:
        """What marks of a table mean."""
        teachers = any(kind == "teacher" for kind in self.kinds.values())
        return f"{MARKS}{', teachers left out' if teachers else ''}."

    def _intervals(self, what: str, kind: str) -> str:
        """How intervals of a kind of gain were made, and what they do not cover."""
        alone = all(variant["seeds"] == 1 for variant in self.variants.values())
        made = (
            f"{what} in % [{self.level:.0%} interval], paired bootstrap over users"
            f"{' alone, for each has one seed' if alone else ' and seeds'}, {self.resamples:,} "
            "resamples."
        )
        base = (self.reference, self.paired) if kind == "difference" and not alone else ("", [])
        return " ".join([made, *comparison_page.about_seeds(self.variants, *base)])

    def _ties(self) -> str:
        """What is said where several items share an identifier."""
        said = (
            " Some items share an identifier. Figures are expected hits on items; those on "
            "identifiers, as the authors of LC-Rec count, stand in Table 1 as SID."
        )
        return said if self.tied else ""

    def _gains(self, order: list[str], kind: str, against: str, added: str) -> list[Table]:
        """Differences of one kind with corrected p, all that there are."""
        places = [
            (name, metric)
            for name in order
            for metric in self.metrics
            if kind in self.variants[name]["metrics"][metric]
        ]
        if not places:
            return []
        found = [self.variants[name]["metrics"][metric][kind] for name, metric in places]
        if kind != "difference":
            found = [entry["difference"] for entry in found]
        p = significance.holm([entry["p"] for entry in found])
        corrected = dict(zip(places, p, strict=True))
        names = [name for name in order if any(name == one for one, _ in places)]
        rows = [
            cells(
                [name, *(self._gain(name, m, kind, corrected.get((name, m))) for m in self.metrics)]
            )
            for name in names
        ]
        note = (
            f"{self._intervals('Difference', kind)} p is corrected for the {len(places)} "
            f"differences of this table by Holm's method; *: below {SURE}."
        )
        if kind != "difference":
            of = [f"{tables.label(m)}: {self._baseline_of(m)}" for m in self.metrics]
            note += (
                f" Best baselines: {', '.join(of)}; what goes on from one shares its seeds. Each "
                "is the best on these users, so gains are rather too small, and a small loss may "
                "come of that choice, whatever its p."
            )
        header = ["method", *map(tables.label, self.metrics)]
        return [Table(f"gains: {kind}{added}", f"Gains over {against}", header, rows, note)]

    def _baseline_of(self, metric: str) -> str:
        for variant in self.variants.values():
            if gain := variant["metrics"][metric].get("over_best_baseline"):
                return str(gain["baseline"])
        return ""

    def _gain(self, name: str, metric: str, kind: str, p: float | None) -> Cell:
        entry = self.variants[name]["metrics"][metric]
        if kind not in entry:
            return Cell("")
        entry = entry if kind == "difference" else entry[kind]
        if entry["relative"] is None:
            return Cell("n/a")
        mean, low, high = (100 * entry["relative"][key] for key in ("mean", "low", "high"))
        mark = "sure" if p is not None and p < SURE else ""
        small = "" if p is None else f"p {p:.3f}" if p >= 0.001 else "p < 0.001"
        return Cell(f"{mean:+.1f} [{low:.1f}, {high:.1f}]", mark, small)


def figure(entry: dict[str, Any], mark: str = "") -> Cell:
    """A mean, and its standard deviation over seeds if there are several."""
    small = "" if entry["std"] is None else f"±{entry['std']:.4f}"
    return Cell(f"{entry['mean']:.4f}", mark, small)
