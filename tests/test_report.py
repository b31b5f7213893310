"""Every figure of the report has a caption, and captions can be read."""

import re
from types import SimpleNamespace

import pytest
from conftest import ROOT
from docutils.core import publish_string
from jinja2 import Environment, StrictUndefined

REPORTED = re.findall(
    r"report\(\n(.*?)\n +\),",
    "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk"))),
    re.DOTALL,
)
CAPTIONS = sorted((ROOT / "docs/captions").glob("*.rst"))


@pytest.mark.parametrize("arguments", REPORTED)
def test_every_figure_has_a_caption_a_category_and_labels(arguments: str) -> None:
    caption = re.search(r'caption="(.*?)"', arguments)
    assert caption and (ROOT / "rules" / caption[1]).exists()
    assert "category=" in arguments and "labels=" in arguments


def test_every_caption_is_used() -> None:
    used = {re.search(r"captions/(\w+)\.rst", arguments)[1] for arguments in REPORTED}
    assert used | {"workflow"} == {path.stem for path in CAPTIONS}
    assert 'report: "docs/captions/workflow.rst"' in (ROOT / "Snakefile").read_text()


@pytest.mark.parametrize("path", CAPTIONS, ids=lambda path: path.stem)
def test_a_caption_is_a_template_of_restructured_text(path) -> None:
    job = SimpleNamespace(wildcards=SimpleNamespace(dataset="demo"), config={"raw_dir": "raw"})
    text = Environment(undefined=StrictUndefined).from_string(path.read_text())
    page = publish_string(
        text.render(snakemake=job), writer="html5", settings_overrides={"halt_level": 2}
    )
    assert b"<p>" in page
