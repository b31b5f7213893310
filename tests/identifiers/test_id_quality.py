import import_semantic_ids
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lohrec.common import artefacts
from lohrec.data.sources import lcrec
from lohrec.identifiers import index as index_file
from lohrec.identifiers.quality import identifier_quality, relative_error, use_and_perplexity


def test_uniform_codes_have_full_perplexity_and_one_code_has_none():
    ids = np.stack([np.arange(8), np.zeros(8, dtype=int)], axis=1)
    use, perplexity = use_and_perplexity(ids, codes=8)
    assert use == [8, 1]
    assert perplexity == pytest.approx([8.0, 1.0])


def test_counts_on_identifiers_small_enough_to_count_by_hand():
    ids = np.array([[0, 1, 2], [0, 1, 2], [0, 1, 3], [1, 1, 2], [1, 0, 0], [1, 0, 0], [1, 0, 0]])
    quality = identifier_quality(ids, codes=4)
    assert quality["items"] == 7
    assert quality["distinct"] == 4
    assert quality["colliding_items"] == 5
    assert quality["largest_group"] == 3
    assert [level["nodes"] for level in quality["levels"]] == [2, 3, 4]
    assert [level["use"] for level in quality["levels"]] == [2, 2, 3]


def test_relative_error_is_zero_for_a_copy_and_one_for_the_mean():
    vectors = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    assert relative_error(vectors, [vectors[:3], vectors[3:]]) == 0
    mean = np.broadcast_to(vectors.mean(0), vectors.shape)
    assert relative_error(vectors, [mean]) == pytest.approx(1)


def test_imported_identifiers_keep_their_collisions(tmp_path):
    ids = np.array([[1, 2, 3, 4], [1, 2, 3, 4], [5, 6, 7, 255]], dtype=np.int16)
    index_file.write(tmp_path / "published.json", ids, ["7", "8", "9"])
    pq.write_table(pa.table({"asin": ["9", "7"]}), tmp_path / "items.parquet")
    out = {name: tmp_path / name for name in ("ids", "index", "quality")}
    import_semantic_ids.main(
        tmp_path / "published.json", tmp_path / "items.parquet", "lcrec", **out
    )
    np.testing.assert_array_equal(np.load(out["ids"]), ids[[2, 0]])
    assert artefacts.read_json(out["index"])["9"] == ["<a_5>", "<b_6>", "<c_7>", "<d_255>"]
    assert artefacts.read_json(out["quality"])["steps"]["final"]["distinct"] == 2


def test_published_identifiers_that_mostly_collide_are_warned_of(tmp_path, capsys):
    ids = np.array([[1, 2, 3, 4], [1, 2, 3, 4], [5, 6, 7, 255]], dtype=np.int16)
    index_file.write(tmp_path / "published.json", ids, ["7", "8", "9"])
    pq.write_table(pa.table({"asin": ["7", "8", "9"]}), tmp_path / "items.parquet")
    out = {name: tmp_path / name for name in ("ids", "index", "quality")}
    import_semantic_ids.main(
        tmp_path / "published.json", tmp_path / "items.parquet", "lcrec", **out
    )
    assert "WARNING: " in (printed := capsys.readouterr().out)
    assert "2 of 3 items share their identifier" in printed


def test_published_identifiers_of_games(real_data):
    names = [str(item) for item in range(16859)]
    ids = lcrec.read_identifiers(real_data("lcrec/Games.index.json"), names)
    quality = identifier_quality(ids)
    assert quality["distinct"] == 16717
    assert quality["levels"][3]["nodes"] == quality["distinct"]
