"""Processes that work together, and what is said where they cannot."""

import pytest

from lohrec.common import processes


def test_several_nodes_are_refused_where_nobody_gives_them(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(RuntimeError, match=r"on 2 nodes .* profiles/slurm, or set nodes to 1"):
        processes.launch("json.tool", [], 1, nodes=2)


def test_a_process_that_fails_is_an_error_of_the_whole(capfd):
    with pytest.raises(RuntimeError, match="One of 2 processes"):
        processes.launch("json.tool", ["absent.json"], 2)
    assert "No such file or directory: 'absent.json'" in capfd.readouterr().err
