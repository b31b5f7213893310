"""Figures hold all points in one frame; what stands beside the maps of embeddings is right."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from lohrec.evaluation import charts, embedding_maps, gain_figure


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were to be saved."""
    figures = []
    monkeypatch.setattr(charts, "save", lambda figure, paths: figures.append(figure))
    return figures


def test_maps_share_a_frame_that_holds_every_point(drawn):
    rng = np.random.default_rng(0)
    maps = {
        name: rng.normal(size=(300, 2)) * size for name, size in zip("abc", (1, 9, 3), strict=True)
    }
    group = [f"g{i % 9}" for i in range(300)]
    names = embedding_maps.most_common(group, 6)
    charts.scatter(["x.svg"], "maps", maps, group, names)
    (figure,) = drawn
    assert len(figure.axes) == 3 and len({(*p.get_xlim(), *p.get_ylim()) for p in figure.axes}) == 1
    for panel, points in zip(figure.axes, maps.values(), strict=True):
        shown = np.concatenate([dots.get_offsets() for dots in panel.collections])
        assert sorted(map(tuple, shown)) == sorted(map(tuple, points))
        low, high = zip(panel.get_xlim(), panel.get_ylim(), strict=True)
        assert (shown > low).all() and (shown < high).all()
    colours = {tuple(dots.get_facecolor()[0]) for dots in figure.axes[0].collections}
    assert len(colours) == 7  # six groups, and grey


def test_every_figure_is_as_wide_as_a_column_and_tells_lines_apart(drawn):
    names = [f"v{i}" for i in range(9)]
    charts.lines(["x"], "t", "beams", [10, 20], {m: {n: [1, 2] for n in names} for m in "abcd"})
    charts.curves(["x"], "t", "step", {m: {n: ([1, 2], [1, 2], 0) for n in names} for m in "abc"})
    charts.bars(["x"], "t", {n: {"m": {"mean": 1, "low": 0, "high": 2}} for n in names})
    charts.slices(["x"], "t", {("m", "w"): (["p", "q"], {n: [1, 2] for n in names})})
    points = {n: [(1, 0, 2), (2, 1, 3)] for n in names[:2]}
    charts.intervals(["x"], "t", "setting", ["p", "q"], {"m": points}, 1)
    for figure in drawn:
        assert figure.get_figwidth() == charts.WIDTH
        for panel in figure.axes:
            of_names = [line for line in panel.get_lines() if line.get_label() in names]
            marks = {(line.get_color(), line.get_marker()) for line in of_names}
            shown = {2: 0, 4: 0}.get(drawn.index(figure), 9)  # bars are no lines
            assert len(marks) == len(of_names) == shown
    for panel in drawn[4].axes:
        bars = [one for one in panel.containers if one.get_label() in names]
        marks = {(bar[0].get_color(), bar[0].get_marker()) for bar in bars}
        assert len(marks) == len(bars) == 2
        assert [tuple(segment[:, 1]) for segment in bars[0][2][0].get_segments()] == [
            (0, 2),
            (1, 3),
        ]


def test_names_are_shown_as_they_are_written(drawn):
    """Prices are no formulas, and a name that begins with an underscore is one too."""
    names = ["$10_$20 gifts", "$5 & up, $10 & up", "_misc", "plain"]
    pair, points = {name: [1, 2] for name in names}, np.random.default_rng(0).random((40, 2))
    charts.scatter(["x"], "$10_$20", {"_a": points, "$b_$": points}, names * 10, names)
    charts.lines(["x"], "t", "beams", [10, 20], {"m": pair})
    charts.curves(["x"], "t", "step", {"m": {n: ([1, 2], [1, 2], 0) for n in names}})
    charts.slices(["x"], "t", {("m", "w"): (["p", "q"], pair)})
    bars = {name: [(1, 0, 2), (2, 1, 3)] for name in names}
    charts.intervals(["x"], "t", "setting", ["p", "q"], {"m": bars}, 1)
    for figure in drawn:
        FigureCanvasAgg(figure).draw()
        (legend,) = figure.legends
        shown = [text.get_text().strip("\N{ZERO WIDTH SPACE}") for text in legend.get_texts()]
        assert shown == names
        priced = [text for text in figure.findobj(Text) if "$" in text.get_text()]
        assert len(priced) >= 2 and not any(text.get_parse_math() for text in priced)


def test_all_letters_are_in_the_figure_and_large_enough(drawn):
    names = ["dwr_cooccurrence", "distill_more_compact", "w/o DISTILL", *"abcdef"]
    title = "instruments_lcrec, against the teacher's top 20, 24,772 test users"
    ticks = ["to 4\n24,772", "5 to 9\n12,345", "10 to 19\n3,002", "from 20\n1,302"]
    measures = ["Recall@10", "NDCG@10", "Diversity@10", "Invalid identifiers"]
    widths = [10, 20, 50, 100]
    charts.lines(["x"], title, "beams", widths, {m: {n: widths for n in names} for m in measures})
    curve = ([0, 24000], [1.0, 2.0], 1)
    charts.curves(["x"], title, "step", {m: {n: curve for n in names} for m in measures[:3]})
    of_bars = {m: {"mean": 0.5, "low": 0.4, "high": 0.6} for m in ("coverage", "coordination")}
    charts.bars(["x"], title, {n: of_bars for n in names})
    ways = ("items in the history", "popularity of the target")
    sliced = {(m, way): (ticks, {n: widths for n in names}) for m in measures[:2] for way in ways}
    charts.slices(["x"], title, sliced)
    points = {n: [(0.1234, 0.1, 0.2)] * 4 for n in ("test set", "dev set")}
    settings = ["0.003", "0.01", "0.03", "0.1"]
    charts.intervals(["x"], title, "setting", settings, {m: points for m in measures[:3]}, 1)
    maps = {f"distill_more: CKA 0.{n}": np.random.default_rng(n).random((90, 2)) for n in (1, 2, 3)}
    groups = [f"{n} Studio Recording Eq..." for n in range(6)]
    charts.scatter(["x"], title, maps, groups * 15, groups)
    gains = {"relative": {"mean": -0.4, "low": -0.5, "high": -0.3}, "excludes_zero": True}
    shown = ("recall@10", "ndcg@10", "diversity@10")
    of_names = {
        n: {"metrics": dict.fromkeys(shown, gains), "seeds": 1 + (n in "ab")} for n in names
    }
    part = {"users": 24772, "variants": of_names}
    compared = {"reference": "tiger_compact", "level": 0.95, "dataset": "instruments_compact"}
    compared |= {"exclude_history": True, "splits": {"test": part, "test_kept": part}}
    gain_figure.draw(["x"], compared, list(shown))
    assert len(drawn) == 7
    for figure in drawn:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        drawn_by = canvas.get_renderer()
        box = figure.get_tightbbox(drawn_by)
        assert min(box.x0, box.y0) > -0.01
        assert box.x1 < figure.get_figwidth() + 0.01 and box.y1 < figure.get_figheight() + 0.01
        assert min(t.get_fontsize() for t in figure.findobj(Text) if t.get_text()) >= 6
        for panel in figure.axes:
            labels = [t for t in panel.get_xticklabels() if t.get_visible() and t.get_text()]
            ends = sorted(t.get_window_extent(drawn_by).intervalx.tolist() for t in labels)
            assert all(left[1] < right[0] for left, right in pairwise(ends))


def test_panels_keep_their_height_however_many_names_there_are(monkeypatch):
    drawn = []
    monkeypatch.setattr(charts, "save", lambda figure, _: drawn.append(figure))
    for number in (4, 18):
        names = [f"distill_more_compact{n}" for n in range(number)]
        charts.lines(["x"], "t", "beams", [10, 20], {m: {n: [1, 2] for n in names} for m in "abcd"})
        FigureCanvasAgg(drawn[-1]).draw()
    few, many = (min(p.get_position().height for p in f.axes) * f.get_figheight() for f in drawn)
    assert many > 0.9 * few
    lines = [(one.get_color(), one.get_linestyle()) for one in drawn[1].axes[0].get_lines()]
    assert len({*lines}) == 18


def test_a_figure_is_the_same_file_each_time(tmp_path):
    for folder in ("1", "2"):
        paths = [tmp_path / folder / f"a.{ending}" for ending in ("svg", "png", "pdf")]
        charts.lines(paths, "t", "beams", [10, 20], {"m": {"v": [1, 2]}})
    for ending in ("svg", "png", "pdf"):
        one, other = (tmp_path / folder / f"a.{ending}" for folder in ("1", "2"))
        assert one.read_bytes() == other.read_bytes()


def test_linear_cka_is_that_of_the_kernels():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(50, 8)), rng.normal(size=(50, 5))
    b[:, :3] += a[:, :3]
    centre = np.eye(50) - 1 / 50
    of_a, of_b = (centre @ x @ x.T @ centre for x in (a, b))
    expected = np.sum(of_a * of_b) / np.sqrt(np.sum(of_a**2) * np.sum(of_b**2))
    assert embedding_maps.linear_cka(a, b) == pytest.approx(expected)
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    assert embedding_maps.linear_cka(a, 3 * a @ turn + 1) == pytest.approx(1)
    assert embedding_maps.linear_cka(a, np.ones((50, 2))) == 0


def test_categories_are_where_paths_part():
    paths = [["Games", "PC", "Old"], ["Games", "Wii"], ["Games", "PC"], ["Games"], []]
    assert embedding_maps.categories(paths) == ["PC", "Wii", "PC", "", ""]
    assert embedding_maps.categories([["Games"], ["Games"], []]) == ["", "", ""]
    assert embedding_maps.categories([[], []]) == ["", ""]
    assert embedding_maps.most_common(["a", "", "", "", "b", "b", "c"], 2) == ["b", "a"]
