import itertools
from types import SimpleNamespace

import numpy as np

from lohrec.common import partial_array
from lohrec.common.partial_array import PartialArray


def test_a_partial_array_goes_on_where_it_was_cut_off(tmp_path, monkeypatch):
    # A clock that goes on by a second a part: every second part is marked.
    monkeypatch.setattr(partial_array, "MARK_SECONDS", 1)
    clock = SimpleNamespace(monotonic=itertools.count().__next__)
    monkeypatch.setattr(partial_array, "time", clock)
    path = tmp_path / "values.npy"
    parts = np.array_split(np.arange(10), 5)

    def fill(cut: int | None, fingerprint: str) -> list[int]:
        array, filled = PartialArray(path, (10,), np.int16, fingerprint), []
        for number, part in enumerate(array.remaining(parts, "filling")):
            if number == cut:
                return filled
            array.values[part] = part + 1
            filled += part.tolist()
        array.finish()
        return filled

    assert fill(3, "a") == list(range(6))
    assert not path.exists()
    assert fill(None, "b") == list(range(10))  # other inputs: from the beginning
    path.unlink()
    assert fill(3, "a") == list(range(6))
    assert fill(None, "a") == list(range(4, 10))  # what was marked as done stays
    assert np.load(path).tolist() == list(range(1, 11))
    assert [p.name for p in tmp_path.iterdir()] == ["values.npy"]
