"""Every recipe reads a file of its layout, and refuses those of the others."""

from pathlib import Path

import pytest
import tiny_tables
from conftest import ROOT
from tiny_tables import ITEMS, LENGTH, MAKE, ROWS, START, USERS, read

from lohrec.data.raw_lines import first_lines
from lohrec.data.recipes import RECIPES, resembling
from lohrec.data.sources import table


def test_every_recipe_is_an_option_and_has_a_test_file() -> None:
    assert set(table.SETTINGS["recipe"]["enum"]) - {None} == RECIPES.keys() == MAKE.keys()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_reads_its_layout(name: str, tmp_path: Path) -> None:
    made = MAKE[name](tmp_path)
    found = read({"interactions": made.interactions, "metadata": made.items}, recipe=name)
    kept = found.interactions
    assert kept.counts() == {"users": USERS, "items": ITEMS, "interactions": len(ROWS)}
    # The history of user 1 and its order.
    user = kept.users.to_pylist().index(made.user)
    items = [kept.items[i].as_py() for i in kept.item[kept.user == user]]
    assert len(items) == LENGTH and items[1] == made.item
    if name != "lcrec":
        seconds = kept.time[kept.user == user] // (1000 if "2023" in name else 1)
        assert seconds.tolist() == [START + 86_400 * step for step in range(LENGTH)]
    words = found.texts[made.item]
    assert words.title.startswith("Café 2")
    assert list(words.categories) == {
        "movielens_100k": [], "movielens_1m": ["Comedy", "Drama"],
        "movielens_csv": ["Comedy", "Drama"], "recbole": ["Comedy", "Drama"],
        "amazon_2014": ["Games", "Cards"], "amazon_2014_ratings": ["Games", "Cards"],
    }.get(name, ["Games"])  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_refuses_the_other_layouts(name: str, tmp_path: Path) -> None:
    # JSON without a constant is Python too, and the keys are those of 2014.
    alike = {"amazon_2014": {"amazon_2018"}}.get(name, set())
    for other in RECIPES.keys() - {name} - alike:
        folder = tmp_path / other
        folder.mkdir()
        made = MAKE[other](folder)
        with pytest.raises(ValueError, match=made.interactions.name.replace(".", r"\.")):
            read({"interactions": made.interactions}, recipe=name)


@pytest.mark.parametrize("name", RECIPES)
def test_a_refusal_names_the_recipe_that_reads(name: str, tmp_path: Path) -> None:
    made = MAKE[name](tmp_path)
    found = resembling(first_lines(made.interactions))
    assert found is not None and f"recipe: {name}" in found


@pytest.mark.parametrize("name", ["amazon_2014_ratings", "amazon_2018_ratings"])
def test_a_short_line_among_the_first_is_rejected_and_counted(name: str, tmp_path: Path) -> None:
    made = MAKE[name](tmp_path)
    first, *rest = made.interactions.read_text().splitlines(keepends=True)
    made.interactions.write_text("".join([first, "B000000001\n", *rest]))
    role = "item" if name == "amazon_2014_ratings" else "user"  # which stands second
    said = "1 of 33 lines rejected: {'missing_" + role + "': 1}"
    with pytest.raises(ValueError, match=said):
        read({"interactions": made.interactions}, recipe=name)


def test_times_of_another_unit_are_not_those_of_the_recipe(tmp_path: Path) -> None:
    names = ("user_id", "parent_asin", "rating", "timestamp")
    rows = [(u, i, r, t) for u, i, r, t in ROWS]
    path = tiny_tables.text(tmp_path / "x.csv", [names, *rows], ",")
    with pytest.raises(ValueError, match="has times in ms, and these are in s"):
        read({"interactions": path}, recipe="amazon_2023_ratings")


def test_the_page_lists_every_recipe() -> None:
    page = (ROOT / "docs/your_data.md").read_text()
    for name, row in RECIPES.items():
        files = ", ".join(f"`{file}`" for file in row["files"].split(", "))
        assert f"| `{name}` | {row['of']} | {files} |" in page
    assert page.count("\n| `") == len(RECIPES)
