"""A hash follows the program: not its comments, not its date, and through every import."""

import os
from pathlib import Path

import pytest
from conftest import ROOT
from digest_workflow import SCRIPTS

import lohrec
from lohrec.configuration import code_hash, registry


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """script.py imports pack.one, which imports pack.two; pack.three is imported by nobody."""
    files = {
        "script.py": '"""A script."""\nfrom pack import one\n\n\ndef main():\n    one.f(1)\n',
        "pack/__init__.py": "",
        "pack/one.py": "import json\n\n\ndef f(x):\n    import pack.two\n\n    return 1\n",
        "pack/two.py": "from . import four\n\n\ndef g(x):\n    return four.h(x) + 1\n",
        "pack/three.py": "y = 1\n",
        "pack/four.py": "def h(x):\n    return x\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def closure(root: Path, record: Path | None = None) -> dict[str, str]:
    """As a new process computes it."""
    for kept in (code_hash._read, code_hash._closure, code_hash._recorded):
        kept.cache_clear()
    return code_hash.closure([root / "script.py"], root, record)


def test_the_closure_follows_imports_at_any_depth(program: Path) -> None:
    assert list(closure(program)) == [
        "pack/__init__.py",
        "pack/four.py",
        "pack/one.py",
        "pack/two.py",
        "script.py",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "# why\nfrom . import four\n\n\ndef g(x):\n    return four.h(x) + 1\n",
        "from . import four\nSETTINGS = {'a': 1}\n\n\ndef g(x):\n    return four.h(x) + 1\n",
        "from . import four\nSETTINGS: dict = {}\n\n\ndef g(x):\n    return four.h(x) + 1\n",
        "from . import four\nif TYPE_CHECKING:\n    from . import three\n\n\ndef g(x):\n"
        "    return four.h(x) + 1\n",
        '"""Doc."""\nfrom . import four\ndef g(x):\n    """Doc."""\n    return (four.h(x)\n + 1)\n',
    ],
)
def test_comments_layout_declarations_and_what_only_a_type_checker_reads_do_not_count(
    program: Path, text: str
) -> None:
    before = closure(program)
    (program / "pack/two.py").write_text(text)
    os.utime(program / "script.py", (0, 0))
    assert closure(program) == before


def test_an_edit_changes_the_edited_file_alone(program: Path) -> None:
    before = closure(program)
    (program / "pack/two.py").write_text("from . import four\n\n\ndef g(x):\n    return 2\n")
    after = closure(program)
    assert [name for name in after if after[name] != before[name]] == ["pack/two.py"]
    (program / "pack/three.py").write_text("y = 2\n")
    assert closure(program) == after


def test_a_string_that_is_no_docstring_counts(program: Path) -> None:
    before = closure(program)
    (program / "pack/four.py").write_text('def h(x):\n    return x or "text"\n')
    assert closure(program) != before


def test_the_real_scripts_depend_on_what_they_use() -> None:
    root = ROOT / "workflow_scripts"
    of = {path.stem: set(code_hash.closure([path], root)) for path in SCRIPTS.values()}
    assert "lohrec/identifiers/rqvae.py" in of["train_rqvae"]
    assert "lohrec/identifiers/rqvae.py" not in of["fit"]
    assert "lohrec/recommender/networks/t5.py" in of["benchmark_decoding"]
    assert "lohrec/recommender/networks/t5.py" not in of["train_teacher"] | of["ingest"]
    for name, files in of.items():
        scripts = [Path(file).stem for file in files if not file.startswith("lohrec/")]
        assert scripts == [name], f"{name}.py imports another script"


def test_modules_that_are_found_by_name_are_starts_of_their_own(program: Path) -> None:
    starts = [program / "script.py", program / "pack/three.py"]
    code_hash._read.cache_clear()
    code_hash._closure.cache_clear()
    before = code_hash.closure(starts, program)
    assert before == closure(program) | {"pack/three.py": before["pack/three.py"]}
    (program / "pack/three.py").write_text("y = 2\n")
    code_hash._read.cache_clear()
    code_hash._closure.cache_clear()
    after = code_hash.closure(starts, program)
    assert [name for name in after if after[name] != before[name]] == ["pack/three.py"]


def test_no_script_of_the_workflow_imports_by_name() -> None:
    """But for the registry, whose modules a rule names beside its script, and the front door."""
    for path in (ROOT / "workflow_scripts").rglob("*.py"):
        if path in (Path(registry.__file__), Path(lohrec.__file__)):
            continue
        text = path.read_text()
        assert "import_module" not in text and "__import__" not in text, path


def test_a_record_spares_the_parsing_and_changes_no_hash(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, plain = tmp_path / "record", closure(program)
    assert closure(program, record) == plain
    with monkeypatch.context() as patch:
        patch.setattr(code_hash.ast, "parse", lambda *_, **__: pytest.fail("parsed again"))
        assert closure(program, record) == plain

    two = program / "pack/two.py"
    two.write_text(two.read_text().replace("+ 1", "+ 2"))
    edited = closure(program, record)
    assert {name for name in plain if plain[name] != edited[name]} == {"pack/two.py"}


@pytest.mark.parametrize("line", ["", "[1", "3", '["a", "b"]', "\x00"])
def test_damaged_lines_of_a_record_are_read_anew(program: Path, tmp_path: Path, line: str) -> None:
    record, plain = tmp_path / "record", closure(program)
    closure(program, record)
    lines = record.read_text().splitlines()
    record.write_text("\n".join([line, *lines[1:], lines[0][:40]]) + "\n")
    assert closure(program, record) == plain
    assert closure(program, tmp_path / "no_folder/record") == plain
