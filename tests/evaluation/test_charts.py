"""Figures hold all points in one frame; what stands beside the maps of embeddings is right."""

import numpy as np
import pytest

from lohrec.evaluation import charts, embedding_maps


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


def test_every_figure_is_as_wide_as_a_page_and_tells_lines_apart(drawn):
    names = [f"v{i}" for i in range(9)]
    charts.lines(["x"], "t", "beams", [10, 20], {m: {n: [1, 2] for n in names} for m in "abcd"})
    charts.curves(["x"], "t", "step", {m: {n: ([1, 2], [1, 2], 0) for n in names} for m in "abc"})
    charts.bars(["x"], "t", {n: {"m": {"mean": 1, "low": 0, "high": 2}} for n in names})
    charts.slices(["x"], "t", {("m", "w"): (["p", "q"], {n: [1, 2] for n in names})})
    points = {n: [(1, 0, 2), (2, 1, 3)] for n in names[:2]}
    charts.intervals(["x"], "t", ["p", "q"], {"m": points}, 1)
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
