"""The report's tables and its page, from a comparison of which all is known."""

import copy
import csv
import re

import numpy as np
import pytest
import tiny_lists
import yaml
from conftest import ROOT

from lohrec.common import artefacts
from lohrec.evaluation import best_baseline, comparison, metrics, slices
from lohrec.evaluation.report import analyses, cost, page, paper, tables
from lohrec.evaluation.report import slices as sliced
from lohrec.evaluation.report.accuracy import Accuracy
from lohrec.evaluation.report.tables import Cell, Section, Table

USERS, PAPER = 600, yaml.safe_load((ROOT / "config/paper.yaml").read_text())
KINDS = {"popularity": "baseline", "tiger": "baseline", "smooth": "own", "lcrec": "teacher"}
# By how many places each finds the target earlier than `popularity` does.
GAINS = {"popularity": 0, "tiger": 6, "smooth": 12, "lcrec": 30}


def of_places(place):
    lists = tiny_lists.alike(USERS)
    diversity = {f"diversity@{k}": np.full(USERS, 0.5) for k in (5, 10)}
    return metrics.accuracy(lists, place - 1, [5, 10]) | diversity


@pytest.fixture(scope="module")
def figures():
    """{variant: {metric: (6 seeds, users)}}."""
    place = np.random.default_rng(0).integers(1, 60, size=(6, USERS))
    seeds = {
        name: [of_places(np.maximum(1, one - gain)) for one in place]
        for name, gain in GAINS.items()
    }
    return {
        name: {metric: np.stack([one[metric] for one in of]) for metric in of[0]}
        for name, of in seeds.items()
    }


@pytest.fixture
def compared(figures):
    """What compare.py writes."""
    variants = comparison.compare(figures, "tiger", 300)
    best_baseline.add_gains(variants, figures, KINDS, [5, 10], 300, {})
    masks = {
        "history": {"to 4": np.arange(USERS) < 200, "from 20": np.arange(USERS) >= 200},
        "popularity": {"head": np.arange(USERS) < 300, "tail": np.arange(USERS) >= 300},
    }
    for number, variant in enumerate(variants.values()):
        shown = {"catalogue_coverage@10": 0.5, "gini@10": 0.25, "unfilled@10": number / 8}
        variant["exposure"] = {name: {"mean": v, "std": None} for name, v in shown.items()}
    part = {"users": USERS, "variants": variants, "slices": slices.compare(figures, masks, 10)}
    split = {"test": part, "test_kept": part, "dev": part}
    known = {
        "exclude_history": True,
        "reference": "tiger",
        "paired": [],
        "level": 0.95,
        "resamples": 300,
        "kinds": KINDS,
        "diversity": "text",
    }
    return known | {"splits": split}


def rows_of(table):
    return {row[0].text: row[1:] for row in table.rows}


def test_table_1_marks_the_best_and_leaves_teachers_out(compared):
    section = Accuracy(compared, "test").table_1()
    first = rows_of(section.tables[0])
    assert list(first) == ["popularity", "tiger", "smooth", "lcrec"]
    column = section.tables[0].header.index("NDCG@10") - 1
    assert [first[name][column].mark for name in first] == ["", "second", "best", ""]
    of = compared["splits"]["test"]["variants"]
    for name, row in first.items():
        entry = of[name]["metrics"]["ndcg@10"]
        assert row[column][::2] == (f"{entry['mean']:.4f}", f"±{entry['std']:.4f}")


def test_the_headline_marks_what_is_the_best_of_all_rows(compared):
    """A baseline that it does not show may be it."""
    popularity = compared["splits"]["test"]["variants"]["popularity"]
    popularity["metrics"]["diversity@10"]["mean"] = 0.99
    accuracy = Accuracy(compared, "test")
    table, headline = accuracy.table_1().tables[0], accuracy.headline("x.svg").tables[0]
    assert "popularity" in rows_of(table) and "popularity" not in rows_of(headline)
    for name, cells in rows_of(headline).items():
        same = rows_of(table)[name][table.header.index("Diversity@10") - 1]
        assert cells[headline.header.index("Diversity@10") - 1].mark == same.mark != "best"


def test_slices_rank_no_teacher(compared):
    for table in sliced.section(Accuracy(compared, "test"), "x.svg").tables:
        rows = rows_of(table)
        assert {cell.mark for cell in rows["lcrec"]} == {""}
        assert [cell.mark for cell in rows["smooth"]] == ["best", "best"]


def test_a_slice_of_few_users_has_no_best(compared):
    for parts in compared["splits"]["test"]["slices"].values():
        list(parts.values())[1]["users"] = 99
    for table in sliced.section(Accuracy(compared, "test"), "x.svg").tables:
        assert [cell.mark for cell in rows_of(table)["smooth"]] == ["best", ""]


def test_diversity_of_vectors_that_each_model_has_of_its_own_is_not_ranked(compared, figures):
    metrics = compared["splits"]["test"]["variants"]["smooth"]["metrics"]
    metrics["diversity@10"]["mean"] = 0.9
    for vectors, mark in (("text", "best"), ("model", "")):
        accuracy = Accuracy(compared | {"diversity": vectors}, "test")
        first, headline = accuracy.table_1().tables[0], accuracy.headline("x.svg").tables[0]
        for table in (first, headline):
            of_smooth = dict(zip(table.header[1:], rows_of(table)["smooth"], strict=True))
            assert of_smooth["NDCG@10"].mark == "best"
            assert of_smooth["Diversity@10"].mark == mark and of_smooth["Diversity@10"].text
        said = "on vectors of its own"
        assert (said in headline.note) == (said in accuracy.table_1().text[0]) == (not mark)
        drawn = {"users": 5, "beams": [10]}
        drawn["metrics"] = {m: {"a": [0.3], "b": [0.2]} for m in ("recall@10", "diversity@10")}
        widths = analyses.widths(vectors, drawn, "x.svg")
        assert [rows_of(one)["a"][0].mark for one in widths.tables] == ["best", mark]
        assert (said in widths.text[1]) == (not mark)
    variants = comparison.compare(figures, "tiger", 50, vectors="model")
    assert "difference" in variants["smooth"]["metrics"]["recall@10"]
    assert set(variants["smooth"]["metrics"]["diversity@10"]) == {"mean", "std"}


def test_identifiers_have_columns_where_items_share_them(compared):
    assert not any("SID" in one for one in Accuracy(compared, "test").table_1().tables[0].header)
    of_smooth = compared["splits"]["test"]["variants"]["smooth"]["metrics"]
    for metric, entry in of_smooth.items():
        entry["mean"] += 0.01 * metric.startswith("sid_")  # hits at the first place
    entry = of_smooth["sid_recall@10"]
    section = Accuracy(compared, "test").table_1()
    assert section.tables[0].header[-2:] == ["SID Recall@10", "SID NDCG@10"]
    assert rows_of(section.tables[0])["smooth"][-2].text == f"{entry['mean']:.4f}"
    assert "share an identifier" in section.text[0]


def test_gains_say_which_rows_have_one_seed(compared):
    assert "one seed" not in Accuracy(compared, "test").table_1().tables[1].note
    compared["splits"]["test"]["variants"]["lcrec"]["seeds"] = 1
    compared["paired"] = ["smooth"]
    first, other = Accuracy(compared, "test").table_1().tables[1:3]
    assert "lcrec: one seed" in first.note and "lcrec: one seed" in other.note
    assert "Of smooth the same seeds are drawn as of tiger" in first.note
    for variant in compared["splits"]["test"]["variants"].values():
        variant["seeds"] = 1
    of_all, headline = (
        Accuracy(compared, "test").table_1(),
        Accuracy(compared, "test").headline("x"),
    )
    for alone in (of_all.tables[1].note, of_all.tables[2].note, headline.tables[0].note):
        assert "users alone, for each has one seed" in alone and "same seeds" not in alone


def test_the_headline_says_what_its_intervals_are(compared):
    note = Accuracy(compared, "test").headline("x.svg").tables[0].note
    assert "95% interval], paired bootstrap over users and seeds, 300 resamples" in note
    assert "not corrected for the number of comparisons" in note and "one seed" not in note
    compared["splits"]["test"]["variants"]["smooth"]["seeds"] = 1
    note = Accuracy(compared, "test").headline("x.svg").tables[0].note
    assert "smooth: one seed, so that the interval covers users only" in note


def test_what_goes_on_from_the_best_baseline_is_paired_with_it(figures):
    variants = comparison.compare(figures, "tiger", 300, ["smooth"])
    best_baseline.add_gains(variants, figures, KINDS, [5, 10], 300, {"tiger": ["smooth"]})
    entry = variants["smooth"]["metrics"]["ndcg@10"]
    same = entry["over_best_baseline"]["difference"]
    assert same == pytest.approx(entry["difference"])
    unpaired = comparison.compare(figures, "tiger", 300)["smooth"]["metrics"]["ndcg@10"]
    assert abs(unpaired["difference"]["low"] - same["low"]) > 1e-5


def test_where_the_reference_is_the_best_baseline_its_gains_stand_once(compared):
    table = Accuracy(compared, "test").headline("x.svg").tables[0]
    assert table.header[-1] == "NDCG@10 against tiger" and len(table.header) == 5
    gain = compared["splits"]["test"]["variants"]["smooth"]["metrics"]["ndcg@10"]["relative"]
    assert rows_of(table)["smooth"][-1].text.startswith(f"{100 * gain['mean']:+.1f} [")


def test_what_is_printed_alike_is_marked_alike():
    column = [0.30004, None, 0.29996, 0.2, 0.1]
    assert tables.ranked(column) == ["best", "", "best", "second", ""]


def test_gains_are_over_the_reference_and_the_best_baseline(compared, figures):
    best = Accuracy(compared, "test").best_baseline()
    assert best == "tiger"
    of = compared["splits"]["test"]["variants"]
    over = of["smooth"]["metrics"]["recall@10"]["over_best_baseline"]
    expected = figures["smooth"]["recall@10"].mean() - figures["tiger"]["recall@10"].mean()
    assert over["baseline"] == "tiger" and over["difference"]["mean"] == pytest.approx(expected)
    assert "over_best_baseline" not in of["tiger"]["metrics"]["recall@10"]
    assert "over_best_baseline" not in of["smooth"]["metrics"]["diversity@10"]

    first, other = Accuracy(compared, "test").table_1().tables[1:3]
    assert "tiger" not in rows_of(first) and "the 12 differences" in first.note
    cell = rows_of(first)["lcrec"][1]
    gain = of["lcrec"]["metrics"]["recall@10"]["relative"]
    assert cell.text.startswith(f"{100 * gain['mean']:+.1f} [") and cell.mark == "sure"
    assert cell.small == "p < 0.001"
    assert "Recall@10: tiger" in other.note


def test_another_baseline_may_be_the_best_of_another_metric(figures):
    changed = {name: dict(of) for name, of in figures.items()}
    for metric in ("recall@5", "ndcg@5"):
        swapped = changed["popularity"][metric], changed["tiger"][metric]
        changed["tiger"][metric], changed["popularity"][metric] = swapped
    variants = comparison.compare(figures, "tiger", 50)
    for name, of in variants.items():
        for metric, entry in of["metrics"].items():
            entry["mean"] = float(changed[name][metric].mean())
    # Only means and figures of these two cutoffs are exchanged, so the inequality holds no more.
    with pytest.raises(ValueError, match="cannot all be right"):
        best_baseline.add_gains(variants, changed, KINDS, [5, 10], 50, {})
    best_baseline.add_gains(variants, changed, KINDS, [5], 50, {})
    gain = variants["smooth"]["metrics"]["recall@5"]["over_best_baseline"]
    assert gain["baseline"] == "popularity"


def test_the_other_lists_of_the_test_users_have_a_table_of_their_own(compared):
    first, other = (Accuracy(compared, split).table_1() for split in ("test", "test_kept"))
    assert "own history are left out" in first.text[0] and "history are kept" in other.text[0]
    assert (first.name, other.name) == ("table-1", "table-1-test-kept")
    names = [table.name for section in (first, other) for table in section.tables]
    assert len(set(names)) == 8


def test_tables_that_contradict_themselves_are_refused(compared):
    broken = compared["splits"]["test"]["variants"]["smooth"]["metrics"]["ndcg@10"]
    broken["mean"] = 0.9
    with pytest.raises(ValueError, match="smooth, test: from cutoff 5 to 10"):
        Accuracy(compared, "test")


def test_the_papers_cells_that_cannot_be_right():
    wrong = {
        name: {method for method, row in of["table_1"].items() if paper.contradicts_itself(row)}
        for name, of in PAPER.items()
    }
    assert wrong == {
        "instruments": {"distill", "dtr", "dwr"},
        "arts": {"distill", "dtr"},
        "games": {"dtr", "dwr"},
    }


def test_no_figures_of_real_lists_are_called_wrong():
    rng = np.random.default_rng(0)
    for _ in range(200):
        own = of_places(rng.integers(1, rng.integers(7, 40), USERS))
        row = [own[f"{m}@{k}"].mean() for m in ("recall", "ndcg") for k in (5, 10)]
        assert not paper.contradicts_itself([round(float(value), 4) for value in row])


def test_a_set_of_the_paper_is_told_by_its_category():
    datasets = yaml.safe_load((ROOT / "config/config.yaml").read_text())["datasets"]
    found = {n: paper.of_category(PAPER, row.get("category")) for n, row in datasets.items()}
    for name in ("games", "games_laptop", "games_gpu"):
        assert found[name] is PAPER["games"]
    for name in ("instruments", "instruments_lcrec", "instruments_compact"):
        assert found[name] is PAPER["instruments"]
    assert found["arts"] is PAPER["arts"] and found["demo"] is found["gift_cards"] is None


def test_ours_stand_beside_the_papers(compared):
    section = Accuracy(compared, "test_kept").beside_the_paper(PAPER["games"]["table_1"])
    assert "history are kept, as in the paper" in section.text[0]
    (table,) = section.tables
    rows = rows_of(table)
    assert len(rows) == 14
    assert [cell.text for cell in rows["dtr"][::2]] == ["-"] * 4
    assert [cell.text for cell in rows["dtr"][1::2]] == ["0.0729", "0.1103", "0.0515", "0.0586"]
    assert {cell.mark for cell in rows["dtr"][1::2]} == {"wrong"}
    assert {cell.mark for cell in rows["tiger"]} == {""} and rows["tiger"][0].text != "-"
    assert "dtr, dwr break it" in table.note


def test_the_papers_methods_are_rows_of_the_network_that_is_shown():
    names = ["tiger", "tiger_compact", "dwr_compact", "sasrec"]
    methods = ("tiger", "dwr", "sasrec", "dtr")
    assert [paper.our_row(m, names) for m in methods] == ["tiger", "dwr_compact", "sasrec", None]


def test_a_compact_row_stands_beside_the_papers_method(compared):
    renamed = copy.deepcopy(compared)
    of = renamed["splits"]["test_kept"]["variants"]
    of["tiger_compact"] = of.pop("tiger")
    section = Accuracy(renamed, "test_kept").beside_the_paper(PAPER["games"]["table_1"])
    (row,) = (row for row in section.tables[0].rows if row[0].text == "tiger")
    assert row[0].small == "tiger_compact" and row[1].text != "-"
    assert "dtr, dwr break it" in section.tables[0].note


def test_a_report_of_the_papers_data_shows_its_figures_beside_ours(compared, tmp_path):
    def written(name, what):
        artefacts.write_json(tmp_path / f"{name}.json", what)
        return str(tmp_path / f"{name}.json")

    entry = compared["splits"]["test"]["variants"]["tiger"]["metrics"]
    made = {"users": USERS, "seeds": [0], "exclude_history": True, "dev": entry, "test": entry}
    made |= {"versions": {"python": "3.11"}, "config": {"settings": {}}}
    counted = ["users", "items", "interactions", "train", "dev", "test"]
    counted += ["sparsity", "average_length"]
    inputs = {
        "comparison_json": written("comparison", compared),
        "statistics_json": written("statistics", dict.fromkeys(counted, 5)),
        "metrics": [written(name, made) for name in ("tiger", "dwr")],
        "models": [written(f"{n}_model", {"made": {"machine": f"box of {n}"}}) for n in KINDS],
        "paper": str(ROOT / "config/paper.yaml"),
        "gains": "gains.svg",
        "slices_figure": "slices.svg",
    }
    of = {"variants": {name: {} for name in KINDS}, "seeds": {name: [0] for name in KINDS}}
    parts = {"ablation": {"dwr": "DWR", "tiger": "TIGER"}, "priors": {}, "sweeps": {}}
    run = {"preset": "laptop", "source": "lcrec", "reference": "tiger"} | of | parts
    run["settings"] = {"dwr": {"objective": {"ranking": 0.3}}, "popularity": {}}
    run["measured"] = ["tiger", "dwr"]
    names = {}
    for category in ("Instruments", None):
        shown = {
            one.name: one for one in page.sections(inputs, run | {"category": category}, "none")
        }
        names[category] = set(shown)
        methods = {row[0].text: row[-1].text for row in shown["run"].tables[0].rows}
        assert methods["tiger"] == "box of tiger"
        (row,) = shown["made"].tables[2].rows  # popularity reads no settings
        assert [cell.text for cell in row] == ["dwr", "objective: {ranking: 0.3}"]
        ablation, data = shown["table-2"].tables[0], shown["data"].tables[0]
        assert ("paper" in rows_of(data)) == any("paper" in one for one in ablation.header)
        if category:
            cells = [float(cell.text) for cell in rows_of(ablation)["DWR"][-3:]]
            assert cells == PAPER["instruments"]["table_2"]["dwr"]
    assert names["Instruments"] - names[None] == {"paper"}


def test_cost_adds_up_jobs_of_a_step(tmp_path):
    header = "s\th:m:s\tmax_rss\tmean_load\tcpu_time\n"
    (tmp_path / "fit").mkdir()
    (tmp_path / "fit/tiger_seed_0.tsv").write_text(header + "60.0\t0:01:00\t100.5\t9\t30.0\n")
    (tmp_path / "fit/dwr_seed_0.tsv").write_text(header + "3600.0\t1:00:00\t300.0\t9\t1800.0\n")
    (tmp_path / "train_rqvae.tsv").write_text(header + "2.0\t0:00:02\t-\t-\tNA\n")
    section = cost.section(tmp_path)
    rows = rows_of(section.tables[0])
    assert [cell.text for cell in rows["fit"]] == ["2", "1:01:00", "0:30:30", "300"]
    assert [cell.text for cell in rows["train_rqvae"]] == ["1", "0:00:02", "0:00:00", "0"]
    assert cost.section(tmp_path / "none") is None


def test_places_that_no_item_fills_are_counted(compared):
    lists = rows_of(Accuracy(compared, "test").table_1().tables[-1])
    assert [row[-1].text for row in lists.values()] == ["0.0000", "0.1250", "0.2500", "0.3750"]


def test_candidates_that_a_teacher_has_not_found_are_counted(compared):
    entry = compared["splits"]["test"]["variants"]["smooth"]["metrics"]
    of = {name: {"users": USERS, "seeds": [0], "test": entry} for name in ("dwr", "dwr_distance")}
    full = {"examples": 1234, "mean_candidates": 15.5, "full_share": 0.9, "target_only_share": 0.01}
    beams = {"beams": {"invalid_share": 0.25, "empty_share": 0.125, "target_share": 0.5}}
    names = {"dwr": "teacher", "dwr_distance": "distance"}
    section = analyses.priors(of, names, {"teacher": full | beams, "distance": full})
    rows = rows_of(section.tables[1])
    known = ["1,234", "15.50", "90.0%", "1.0%"]
    assert [cell.text for cell in rows["teacher"]] == [*known, "25.0%", "12.5%", "50.0%"]
    assert [cell.text for cell in rows["distance"]] == [*known, "-", "-", "-"]


def test_tables_without_intervals_call_none_the_best(compared):
    good, worse = (
        compared["splits"]["test"]["variants"][name]["metrics"] for name in ("smooth", "tiger")
    )
    made = {"users": USERS, "seeds": [0], "exclude_history": True}
    of = {
        name: made | {"dev": entry, "test": entry}
        for name, entry in (("dwr", good), ("distill", worse))
    }
    ablation = analyses.ablation(of, {"dwr": "DWR", "distill": "w/o RANK"}, {})
    priors = analyses.priors(of, {"dwr": "teacher", "distill": "distance"}, {})
    for table in [*ablation.tables, priors.tables[0]]:
        assert {cell.mark for row in table.rows for cell in row} == {""}
    assert all("no intervals" in section.text[0] for section in (ablation, priors))
    assert "For equal steps see `distill_more`" in ablation.text[0]


def test_invalid_identifiers_are_not_held_against_each_other():
    metrics = {"recall@10": {"a": [0.3], "b": [0.2]}, "invalid": {"a": [0.3], "b": [0.2]}}
    drawn = {"users": 5, "beams": [10], "metrics": metrics}
    of_recall, of_invalid = map(rows_of, analyses.widths("text", drawn, "x.svg").tables)
    assert [of_recall[name][0].mark for name in "ab"] == ["best", "second"]
    assert [of_invalid[name][0].mark for name in "ab"] == ["", ""]


def test_a_page_escapes_marks_and_fetches_nothing(tmp_path):
    (tmp_path / "a.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    marked = [Cell("1", "best", "±2"), Cell("2", "second"), Cell("3", "wrong"), Cell("4", "sure")]
    rows = [[Cell("a<b", small="row"), *marked]]
    table = Table("t", "<T>", ["", "x", "y", "z", "w"], rows, "see `code`")
    shown = [Section("s", "S & T", ["`a`"], [table], [tables.Figure(f"{tmp_path}/a.svg", "Fig")])]
    html = page.render(ROOT / "workflow_scripts/lohrec/evaluation/report/page.html", "R", shown)
    assert "a&lt;b" in html and "&lt;T&gt;" in html and "S &amp; T" in html
    # What marks say is in the page, not in its style: readers aloud and copied text have it too.
    assert '<th scope="row">a&lt;b<small>row</small></th><td><strong>1</strong>' in html
    assert "</strong><small>±2</small></td><td><em>2</em></td>" in html
    assert '<td><span class="wrong">3 ✗</span></td><td>4*</td></tr>' in html
    assert "content:" not in html and "<code>code</code>" in html
    assert 'src="data:image/svg+xml;base64,' in html and 'alt="Fig"' in html
    links = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert all(link.startswith(("data:", "#")) for link in links) and len(links) == 3
    assert "http" not in html and "url(" not in html and "@import" not in html

    assert "| a<b (row) | **1** (±2) | _2_ | 3 ✗ |  4* |" in tables.markdown(shown, "R")
    lines = list(csv.reader(tables.long_csv(shown).splitlines()))
    assert lines == [
        ["table", "row", "column", "value", "mark", "small"],
        ["t", "a<b", "x", "1", "best", "±2"],
        ["t", "a<b", "y", "2", "second", ""],
        ["t", "a<b", "z", "3", "wrong", ""],
        ["t", "a<b", "w", "4", "sure", ""],
    ]
