import gzip

import orjson
import pytest

from lohrec.data.item_texts import ItemText
from lohrec.data.sources import amazon2018
from lohrec.data.sources.amazon2018 import read_metadata, read_reviews

GOOD = {"reviewerID": "A1", "asin": "B1", "unixReviewTime": 1529193600, "overall": 5.0}


def packed(path, lines):
    with gzip.open(path, "wb") as file:
        file.writelines(line + b"\n" for line in lines)
    return path


def rows_of(read):
    return [
        (read.users[user].as_py(), read.items[item].as_py(), time)
        for user, item, time in zip(read.user, read.item, read.time.tolist(), strict=True)
    ]


def dump(**changes):
    """A good review with changes; a value of `...` takes the key out."""
    return orjson.dumps({k: v for k, v in (GOOD | changes).items() if v is not ...})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"reviewerID": "A1", ', "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"", "blank"),
        (b"[1]", "not_an_object"),
        (dump(reviewerID=...), "missing_reviewerID"),
        (dump(reviewerID=""), "missing_reviewerID"),
        (dump(asin=None), "missing_asin"),
        (dump(asin=7), "wrong_type_asin"),
        (dump(unixReviewTime=...), "missing_unixReviewTime"),
        (dump(unixReviewTime="06 17, 2018"), "wrong_type_unixReviewTime"),
        (dump(unixReviewTime=True), "wrong_type_unixReviewTime"),
        (dump(unixReviewTime=2**64 - 1), "wrong_type_unixReviewTime"),
    ],
)
def test_bad_review_is_counted_by_reason(tmp_path, line, reason):
    path = packed(tmp_path / "x_5.json.gz", [dump(), line, dump(unixReviewTime=0)])
    read, report = read_reviews(path)
    assert report == {"lines": 3, "rejected": {reason: 1}, "mended": {}}
    assert rows_of(read) == [("A1", "B1", 1529193600), ("A1", "B1", 0)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"B1,A1,5.0", "not_4_fields"),
        (b"", "blank"),
        (b",A1,5.0,7", "missing_item"),
        (b"B1,,5.0,7", "missing_user"),
        (b"item,user,rating,timestamp", "wrong_type_timestamp"),
        (b"B1,A1,5.0," + b"9" * 30, "wrong_type_timestamp"),
        (b"B1,\xff,5.0,7", "not_utf8"),
    ],
)
@pytest.mark.parametrize("name", ["ratings.csv", "ratings.csv.gz"])
def test_ratings_are_item_user_rating_timestamp(tmp_path, name, line, reason):
    path = tmp_path / name
    lines = [b"B1,A1,5.0,11\r", line, b"B2,A1,1.0,12"]
    if name.endswith(".gz"):
        packed(path, lines)
    else:
        path.write_bytes(b"\n".join(lines))
    read, report = read_reviews(path)
    assert report == {"lines": 3, "rejected": {reason: 1}, "mended": {"crlf": 1}}
    assert rows_of(read) == [("A1", "B1", 11), ("A1", "B2", 12)]


@pytest.mark.parametrize(
    ("line", "mended"),
    [
        (b"\xef\xbb\xbf" + dump(), {"byte_order_mark": 1}),
        (dump() + b"\r", {"crlf": 1}),
        (dump().replace(b"A1", b"A\x001"), {"nul": 1}),
        (dump(unixReviewTime="1529193600"), {"times_as_text": 1}),
        (dump(unixReviewTime=1529193600.0), {"times_with_fraction": 1}),
        (dump().replace(b"5.0", b"NaN"), {"json_of_python": 1}),
        (
            dump().replace(b'"A1"', b'"A1\\ud83d"'),
            {"halves_of_characters": 1, "json_of_python": 1},
        ),
    ],
)
def test_what_pages_leave_in_reviews_is_mended_and_counted(tmp_path, line, mended):
    read, report = read_reviews(packed(tmp_path / "x_5.json.gz", [line]))
    assert rows_of(read) == [("A1", "B1", 1529193600)]
    assert report == {"lines": 1, "rejected": {}, "mended": mended}


def test_spaces_around_the_fields_of_ratings_are_no_part_of_names(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("B1,A1,5.0,11\nB1, A1 ,5.0, 12\n")
    read, report = read_reviews(path)
    assert rows_of(read) == [("A1", "B1", 11), ("A1", "B1", 12)]
    assert report["mended"] == {"lines_with_spaces": 1}


def test_a_repeated_key_is_no_review(tmp_path):
    line = b'{"reviewerID": "A1", "reviewerID": "A2", "asin": "B1", "unixReviewTime": 1}'
    quoting = dump(reviewText='he wrote "asin" and "asin"', style={"asin": "x"})
    _, report = read_reviews(packed(tmp_path / "x_5.json.gz", [dump(), quoting, line]))
    assert report["rejected"] == {"duplicate_key": 1}


def test_too_many_rejected_lines_stop_with_samples_and_the_edition(tmp_path):
    other = b"{'reviewerID': 'A1', 'asin': 'B1', 'unixReviewTime': 1}"
    path = packed(tmp_path / "x_5.json.gz", [*[dump()] * 98, other, other])
    assert read_reviews(path, most_rejected=0.02)[1]["rejected"] == {"not_json": 2}
    with pytest.raises(ValueError) as error:
        read_reviews(path, most_rejected=0.01)
    for words in (
        "2 of 100 lines rejected: {'not_json': 2}. ingest.most_rejected allows 1.00%",
        "line 99 (not_json): {'reviewerID': 'A1'",
        "line 100 (not_json)",
        "Amazon reviews of 2014, a Python literal a line: source: table, recipe: amazon_2014",
    ):
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["userId,movieId,rating,timestamp", "1,2,3.0,4"], "has a header or another order"),
        (["AAAAAAAAAAAA1,B000000001,5.0,1"], "users are ASINs.*recipe: amazon_2014_ratings"),
        (["B1,A1,5.0,1500000000", "B2,A1,5.0,1500000000000"], "several units .s and ms."),
        (
            ["B1,A1,5.0,1500000000", "B2,A1,5.0,1500000000000", "B3,A2,5.0,1500000000"],
            "several units .s and ms; 1 in ms, first 1500000000000",
        ),
        # Of January 1973, in milliseconds; and of 1975, in seconds.
        (["B1,A1,5.0,94694400000", "B2,A1,5.0,157766400"], "several units .*94694400000 is after"),
    ],
)
def test_ratings_of_another_layout_are_refused(tmp_path, lines, message):
    path = tmp_path / "r.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=rf"r\.csv.*{message}"):
        read_reviews(path)


def test_items_without_metadata_can_stay(tmp_path):
    lines = [dump(reviewerID=f"A{u}", asin=f"B{i}") for u in range(4) for i in range(4)]
    meta = [orjson.dumps({"asin": f"B{i}", "title": "t"}) for i in range(3)]
    paths = {
        "reviews": packed(tmp_path / "x_5.json.gz", lines),
        "metadata": packed(tmp_path / "meta.json.gz", meta),
    }
    for without, items in (("drop", 3), ("keep", 4)):
        found = amazon2018.read(paths, 3, without_metadata=without)
        assert found.interactions.counts()["items"] == items


def test_batches_do_not_show(tmp_path, monkeypatch):
    lines = [dump(reviewerID=f"A{n % 7}", asin=f"B{n % 5}", unixReviewTime=n) for n in range(50)]
    path = packed(tmp_path / "x.json.gz", lines)
    whole = rows_of(read_reviews(path)[0])
    monkeypatch.setattr(amazon2018, "BATCH", 10)
    assert rows_of(read_reviews(path)[0]) == whole
    assert [time for _, _, time in whole] == list(range(50))


def test_a_file_that_is_cut_short_is_named(tmp_path):
    path = packed(tmp_path / "x_5.json.gz", [dump(reviewerID=f"A{n}") for n in range(5000)])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"x_5\.json\.gz is cut short.*download it again"):
        read_reviews(path)


def test_a_damaged_file_is_named(tmp_path):
    path = packed(tmp_path / "x_5.json.gz", [dump(reviewerID=f"A{n}") for n in range(5000)])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x_5\.json\.gz is.*download it\s+again"):
        read_reviews(path)


def test_a_page_instead_of_gzip_is_named(tmp_path):
    path = tmp_path / "x_5.json.gz"
    path.write_text("<html>404</html>")
    with pytest.raises(ValueError, match=r"x_5\.json\.gz is no gzip file"):
        read_reviews(path)


@pytest.mark.parametrize(
    "content",
    [b"", gzip.compress(b""), gzip.compress(b"x\ny\n")],
    ids=["empty", "packed", "lines"],  # gzip writes the time, and test processes must agree
)
def test_a_file_without_reviews_is_an_error_with_counts(tmp_path, content):
    path = tmp_path / "x_5.json.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is empty|no usable review in 2 lines"):
        read_reviews(path)


def test_missing_files_and_unknown_endings_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"reviews at .*x_5\.json\.gz\. Download it"):
        read_reviews(tmp_path / "x_5.json.gz")
    with pytest.raises(FileNotFoundError, match=r"no .*meta_x\.json\.gz\. Put"):
        read_metadata(tmp_path / "meta_x.json.gz", ["B1"])
    with pytest.raises(ValueError, match=r"x\.parquet: reviews end in .*Rename"):
        read_reviews(tmp_path / "x.parquet")


def test_metadata_of_wanted_items_the_first_row_counts(tmp_path):
    path = packed(
        tmp_path / "meta.json.gz",
        [
            b'{"asin": "B1", "title": "One"}',
            b'{"asin": "B1", "title": "Another"}',
            b'{"asin": "B2", "title": "Not wanted"}',
            b'{"asin": "B3", "title": {"en": "?"}}',
            b'{"asin": "B3", "title": null, "description": "d"}',
            b'{"title": "No id"}',
            b"{'asin': 'B4'}",
            b"7",
        ],
    )
    texts, report = read_metadata(path, ["B1", "B3", "B4"])
    assert texts == {"B1": ItemText("One", "", []), "B3": ItemText("", "d", [])}
    assert report["lines"] == 8 and report["duplicates"] == 1
    assert report["rejected"] == {
        "missing_asin": 1,
        "not_an_object": 1,
        "not_json": 1,
        "wrong_type_title": 1,
    }
    with pytest.raises(ValueError, match=r"meta\.json\.gz has none of the 1 items"):
        read_metadata(path, ["B9"])


def test_published_metadata_has_no_markup_left(real_data):
    path = real_data("amazon2018/meta_Gift_Cards.json.gz")
    with gzip.open(path) as file:
        asins = [orjson.loads(line)["asin"] for line in file]
    texts, report = read_metadata(path, asins)
    assert report["rejected"] == {} and len(texts) + report["duplicates"] == report["lines"]
    for text in texts.values():
        joined = " ".join([text.title, text.description, *text.categories])
        assert "<br" not in joined and "</" not in joined and "&amp;" not in joined
        assert "\n" not in joined and "  " not in text.title
