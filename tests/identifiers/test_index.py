import numpy as np

from lohrec.common import artefacts
from lohrec.data.sources import lcrec
from lohrec.identifiers import index


def test_index_goes_round_in_the_order_asked_for(tmp_path):
    ids = np.random.default_rng(0).integers(0, 256, (30, 4)).astype(np.int16)
    items = [str(n) for n in range(30)]
    index.write(tmp_path / "index.json", ids, items)
    order = np.random.default_rng(1).permutation(30)[:20]
    read = lcrec.read_identifiers(tmp_path / "index.json", [items[n] for n in order])
    assert read.dtype == np.int16
    np.testing.assert_array_equal(read, ids[order])


def test_index_is_lc_recs_layout(tmp_path):
    index.write(tmp_path / "index.json", np.array([[12, 3, 200, 7]]), ["0"])
    assert artefacts.read_json(tmp_path / "index.json") == {
        "0": ["<a_12>", "<b_3>", "<c_200>", "<d_7>"]
    }
