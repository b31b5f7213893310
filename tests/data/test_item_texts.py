import time
from collections import Counter

import pytest

from lohrec.data.item_texts import ItemText, clean, item_text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("plain", "plain"),
        ("Salt &amp; Vinegar &#39;90", "Salt & Vinegar '90"),
        ("one<br />two\r\n\tthree\u00a0 four", "one two three four"),
        ("&lt;b&gt;bold&lt;/b&gt;", "bold"),
        ("<a href='x>y'>link</a>", "y'>link"),
        ("5 < 6 and 7 > 3, I <3 it", "5 < 6 and 7 > 3, I <3 it"),
        ('<span class="a" id="b">Mario\n</span>', "Mario"),
        ("\n<script type='x'>if (a<b) { t(); }</script>\nKart<!-- 8 <b> -->", "Kart"),
        ("Kart <STYLE>.a{} </STYLE >8<script>var aPageStart = 1;", "Kart 8"),
        ("<!-- never closed <b>x</b>", ""),
        ('<span class="a-size-medium a-color-secondary a-text-normal"', ""),
        ("Weekly <span class='a-size", "Weekly"),
        ("if a <b and b = 3", "if a <b and b = 3"),
        ("a\0b\ud83dc", "abc"),
        ("", ""),
    ],
)
def test_clean_takes_markup_out(raw, text):
    assert clean(raw) == text
    assert clean(text) == text


def test_clean_is_linear_on_hostile_text():
    began = time.process_time()
    for raw in (
        "<a" * 200_000,
        "<!--" * 100_000,
        "<script>" * 100_000,
        "<" * 400_000,
        "<a b" * 200_000,
        "<a b=" + "=" * 400_000,
    ):
        clean(raw)
    # A second where it is linear; half an hour where every tag looks for its end.
    assert time.process_time() - began < 60


def test_item_text_takes_strings_and_lists():
    record = {"description": ["<p>a</p>", None, "", "b"], "title": ["x", "y"]}
    assert item_text(record) == ItemText("x y", "a b", [])
    assert item_text({"categories": [["Games", "PC &amp; Mac"], ["Toys"]]}).categories == [
        "Games",
        "PC & Mac",
        "Toys",
    ]
    scraps = {"category": ["Games", "</span></span>", "Made of plastic"]}
    assert item_text(scraps).categories == ["Games"]
    with pytest.raises(TypeError, match="category"):
        item_text({"category": [True]})
    # Some write titles and categories of digits as numbers.
    assert item_text({"title": 1984, "category": [3, [4]]}) == ItemText("1984", "", ["3", "4"])


def test_what_was_done_is_counted():
    done = Counter()
    record = {
        "title": '<span class="a',
        "description": "['Two metres', \"black\"]",
        "categories": ["A &amp; B", "<b>C</b>"],
        "price": float("nan"),
        "brand": 7,
    }
    assert item_text(record, done) == ItemText("", "Two metres black", ["A & B", "C"], "7", "")
    assert +done == {
        "unclosed_tags_removed": 1,
        "printed_lists_read": 1,
        "entities_unescaped": 1,
        "tags_removed": 1,
    }
    assert item_text({"title": "[not a list]"}).title == "[not a list]"
