"""Files that appear whole or not at all, on full disks and after kills."""

import errno
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.numpy import save_file

from lohrec.common import artefacts, disk, writers
from lohrec.common.artefacts import whole, whole_folder, write_npy, write_parquet, write_text


@pytest.fixture
def small(tmp_path):
    """A file system of 4 MB where root may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_large_array_has_its_room_before_it_is_filled(tmp_path):
    values = disk.new_array(tmp_path / "values.npy", np.float32, (1000, 1000))
    taken = (tmp_path / "values.npy").stat().st_blocks * 512
    assert taken >= values.nbytes == 4_000_000
    assert not values.any()


def test_an_array_that_does_not_fit_is_refused(small):
    path = small / "values.npy"
    with pytest.raises(disk.DiskFull, match=r"values.npy needs 8.00 MB, 4.19 MB are free"):
        disk.new_array(path, np.float32, (2000, 1000))
    assert list(small.iterdir()) == []


def test_a_disk_that_fills_meanwhile_is_named(small, monkeypatch):
    there = [disk.free(small / "values.npy")]
    write_npy(small / "others.npy", np.ones(400_000))
    monkeypatch.setattr(disk, "free", lambda path: there[0])
    with (
        pytest.raises(disk.DiskFull, match=r"values.npy needs 2.00 MB") as raised,
        whole(small / "values.npy") as temporary,
    ):
        disk.new_array(temporary, np.float32, (500, 1000))
    assert raised.value.errno == errno.ENOSPC
    assert [path.name for path in small.iterdir()] == ["others.npy"]


def test_a_quota_or_a_disk_is_named_without_root(tmp_path, monkeypatch):
    def refuses(*_):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "posix_fallocate", refuses)
    with pytest.raises(disk.DiskFull, match=r"values.npy needs 4.00 MB, .* are free. Make room"):
        disk.new_array(tmp_path / "values.npy", np.float32, (1000, 1000))
    usage = SimpleNamespace(free=3_999_999)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(disk.DiskFull, match=r"values.npy needs 4.00 MB, 4.00 MB are free"):
        disk.new_array(tmp_path / "values.npy", np.float32, (1000, 1000))


def folder_of(path, array):
    with whole_folder(path) as temporary:
        np.save(temporary / "values.npy", array)


def torch_of(path, array):
    with whole(path) as temporary:
        torch.save(torch.from_numpy(array), temporary)


@pytest.mark.parametrize(
    "write",
    [
        write_npy,
        lambda path, array: write_parquet(path, pa.table({"value": array})),
        lambda path, array: write_text(path, " ".join(map(str, array))),
        folder_of,
        torch_of,
    ],
    ids=["npy", "parquet", "text", "folder", "torch"],
)
def test_every_writer_names_a_full_disk_and_leaves_what_was_there(small, write):
    (small / "filler").write_bytes(bytes(2_000_000))
    path = small / "values"
    random = np.random.default_rng(0)
    write(path, random.random(1000))
    before = sorted((p, p.stat().st_mtime_ns) for p in small.rglob("*"))
    with pytest.raises(disk.DiskFull, match=r"The disk is full: .*values needs more than there is"):
        write(path, random.random(500_000))
    assert sorted((p, p.stat().st_mtime_ns) for p in small.rglob("*")) == before


def test_the_next_writer_removes_what_killed_ones_left(tmp_path):
    path, folder = tmp_path / "values.npy", tmp_path / "model"
    program = (
        "import os, sys\nfrom lohrec.common.artefacts import whole, whole_folder\n"
        "with whole(sys.argv[1]) as one, whole_folder(sys.argv[2]) as other:\n"
        "    one.write_text('half'), (other / 'weights').write_text('half')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path), str(folder)])
    assert killed.returncode == -9 and len(list(tmp_path.iterdir())) == 2
    living = tmp_path / f".{writers.HOST}-{os.getppid()}.values.npy"
    day_old, new = (tmp_path / f".far-off-{n}.values.npy" for n in (7, 8))
    others = tmp_path / ".far-1.other.npy"
    for left in (living, day_old, new, others):
        left.write_text("half")
    os.utime(day_old, (0, time.time() - 2 * writers.DAY))
    write_npy(path, np.ones(3))
    with whole_folder(folder) as temporary:
        (temporary / "weights").write_text("all")
    assert sorted(tmp_path.iterdir()) == sorted([living, new, others, path, folder])


def test_containers_of_one_name_are_two_hosts(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "worker")
    monkeypatch.setattr(os, "readlink", lambda path: "pid:[4026531836]")
    one = writers._host()
    monkeypatch.setattr(os, "readlink", lambda path: "pid:[4026532001]")
    assert one == "worker-4026531836" and writers._host() == "worker-4026532001"
    monkeypatch.setattr(os, "readlink", lambda path: os.stat("/nowhere"))
    assert writers._host() == "worker"


def test_what_is_renamed_is_on_the_disk_before(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(disk, "sync", lambda path: done.append(("sync", path)))
    replace = os.replace
    monkeypatch.setattr(
        os, "replace", lambda one, other: done.append(("rename", other)) or replace(one, other)
    )
    write_text(tmp_path / "text", "some")
    written = writers.temporary(tmp_path / "text")
    assert done == [("sync", written), ("rename", tmp_path / "text"), ("sync", tmp_path)]
    done.clear()
    with artefacts.whole_folder(tmp_path / "model") as temporary:
        (temporary / "weights").write_text("all")
    assert done == [("sync", temporary / "weights"), ("sync", temporary), ("sync", tmp_path)]


def test_a_file_system_that_syncs_no_folders_keeps_what_is_renamed(tmp_path, monkeypatch):
    def refuses(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) or not folders_alone:
            raise OSError(errno.EINVAL, "Invalid argument")

    folders_alone = True
    monkeypatch.setattr(os, "fsync", refuses)
    write_text(tmp_path / "text", "some")
    folder_of(tmp_path / "model", np.ones(3))
    assert (tmp_path / "model/values.npy").is_file()
    folders_alone = False
    with pytest.raises(OSError, match="Invalid argument"):
        write_text(tmp_path / "text", "more")
    assert (tmp_path / "text").read_text() == "some"


def test_others_may_read_a_folder_as_far_as_the_umask_lets_them(tmp_path):
    (tmp_path / "linked").write_text("as its owner left it")
    (tmp_path / "linked").chmod(0o600)
    with whole_folder(tmp_path / "model") as folder:
        save_file({"weight": np.zeros(3)}, folder / "model.safetensors")
        assert (folder / "model.safetensors").stat().st_mode & 0o777 == 0o600
        artefacts.link(tmp_path / "linked", folder / "linked")
    modes = [
        (tmp_path / "model" / n).stat().st_mode & 0o777 for n in ("model.safetensors", "linked")
    ]
    assert modes == [0o666 & ~artefacts.UMASK, 0o600]


def test_a_folder_takes_the_place_that_a_link_leads_to(tmp_path):
    (tmp_path / "disk/model").mkdir(parents=True)
    (tmp_path / "disk/model/old").touch()
    (tmp_path / "model").symlink_to("disk/model")
    folder_of(tmp_path / "model", np.ones(3))
    assert (tmp_path / "model").is_symlink()
    assert [path.name for path in (tmp_path / "disk/model").iterdir()] == ["values.npy"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "model"]


def test_a_read_only_folder_is_named(small):
    path = small / "values.npy"
    write_npy(path, np.ones(3))
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    for write in (write_npy, folder_of):
        with pytest.raises(OSError, match=r"Read-only file system: .*values.npy"):
            write(path, np.zeros(3))
    assert np.load(path).tolist() == [1, 1, 1] and len(list(small.iterdir())) == 1
