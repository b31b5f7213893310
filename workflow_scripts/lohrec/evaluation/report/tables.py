"""Tables and figures of a report, and what a table is as Markdown and as CSV."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lohrec.evaluation import tables

DIGITS = 4
MARKS = "Bold: the best of a column; underlined, in Markdown in italics: the second best"
MARKDOWN = {"best": "**{}**", "second": "_{}_", "wrong": "{} ✗", "sure": "{}*", "": "{}"}


class Cell(NamedTuple):
    """A cell of a table.

    Attributes:
        text: what it says.
        mark: "best", "second", "wrong" (cannot be right), "sure" (a difference) or nothing.
        small: what stands under it.
    """

    text: str
    mark: str = ""
    small: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a heading of its own.

    Attributes:
        name: a short one, for the CSV.
        title: the heading.
        header: of the columns, the first of them names the rows.
        rows: as many cells each.
        note: what marks and columns mean.
        words: whether its cells are words, not figures.
        folded: whether the page shows it on demand alone.
    """

    name: str
    title: str
    header: list[str]
    rows: list[list[Cell]]
    note: str = ""
    words: bool = False
    folded: bool = False


@dataclass(frozen=True)
class Figure:
    """A figure; the page embeds the file.

    Attributes:
        path: of an SVG or a PNG.
        title: what it shows, read aloud where it cannot be seen.
    """

    path: str
    title: str


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        name: of its anchor.
        title: the heading.
        text: what to know before reading, a paragraph each.
        tables, figures: in order; figures stand first.
    """

    name: str
    title: str
    text: list[str]
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)


def cells(row: Iterable[str | Cell]) -> list[Cell]:
    """A row of which some cells are plain text."""
    return [one if isinstance(one, Cell) else Cell(one) for one in row]


def ranked(column: Sequence[float | None], digits: int = DIGITS) -> list[str]:
    """The mark of each figure of a column: the best, the second best, or none; None has none.

    Figures that are printed alike, to so many digits, are marked alike.
    """
    shown = [None if value is None else round(value, digits) for value in column]
    best = sorted({value for value in shown if value is not None}, reverse=True)
    marks = dict(zip(best, ("best", "second"), strict=False))
    return ["" if value is None else marks.get(value, "") for value in shown]


def markdown(sections: Sequence[Section], title: str) -> str:
    """All sections' text and tables; a figure is named by its file."""
    parts = [f"# {title}"]
    for section in sections:
        parts += [f"## {section.title}", *section.text]
        parts += [f"{figure.title}: `{figure.path}`" for figure in section.figures]
        for table in section.tables:
            body = [[_markdown(cell) for cell in row] for row in table.rows]
            parts += [f"### {table.title}", tables.markdown(table.header, body)]
            parts += [table.note] if table.note else []
    return "\n\n".join(parts) + "\n"


def _markdown(cell: Cell) -> str:
    text = MARKDOWN[cell.mark].format(cell.text) if cell.text else ""
    text += f" ({cell.small})" if cell.small else ""
    return text.replace("|", "/")


def long_csv(sections: Sequence[Section]) -> str:
    """A line a cell: table, row, column, value, mark, small."""
    lines = [
        [table.name, row[0].text, column, *cell]
        for section in sections
        for table in section.tables
        for row in table.rows
        for column, cell in zip(table.header[1:], row[1:], strict=True)
    ]
    header = ["table", "row", "column", "value", "mark", "small"]
    return tables.comma_separated(header, lines)
