import errno
import gzip
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import download_reviews
import pytest

from lohrec.common import artefacts
from lohrec.common.disk import DiskFull
from lohrec.data import download

# Random bytes do not compress, so that the file is long enough to be cut.
BODY = gzip.compress(hashlib.shake_256(b"reviews").digest(300_000), mtime=0)
OTHER = gzip.compress(hashlib.shake_256(b"changed").digest(310_000), mtime=0)
HALF = len(BODY) // 2


class Shop:
    """A server of one file whose faults are attributes.

    `cuts` holds, per request to come, the bytes of the answer's body after which the connection
    is closed (None: all are sent); `requests` records each request's Range and status.
    """

    def __init__(self):
        self.body, self.tag = BODY, '"one"'
        self.ranges = self.length = True
        self.cuts, self.statuses, self.requests = [], [], []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                shop.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/reviews.json.gz"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def answer(self, request):
        wanted = request.headers["Range"]
        status, start = 200, 0
        if self.statuses:
            status = self.statuses.pop(0)
        elif self.ranges and wanted and request.headers["If-Range"] == self.tag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            status = 206 if start < len(self.body) else 416
        self.requests.append((wanted, status))
        request.send_response(status)
        body = self.body[start:] if status in (200, 206) else b""
        if self.tag:
            request.send_header("ETag", self.tag)
        if self.length:
            request.send_header("Content-Length", str(len(body)))
        if status == 206:
            last = len(self.body) - 1
            request.send_header("Content-Range", f"bytes {start}-{last}/{len(self.body)}")
        request.end_headers()
        request.wfile.write(body[: self.cuts.pop(0) if self.cuts else None])

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def shop(monkeypatch):
    monkeypatch.setattr(download, "WAIT", 0.001)
    shop = Shop()
    yield shop
    shop.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "raw" / "reviews.json.gz"


def interrupted(shop, path):
    """Leave half of the file behind, as a call does that has run out of attempts."""
    shop.cuts = [HALF, 0, 0, 0]
    with pytest.raises(ConnectionError, match="run again to go on"):
        download.fetch(shop.url, path)
    assert not path.exists()
    shop.requests.clear()


def test_whole_file_and_record(shop, path, capsys):
    record = path.with_suffix(".record.json")
    sha256 = hashlib.sha256(BODY).hexdigest()
    download_reviews.main(str(path), str(record), {"url": shop.url, "sha256": sha256.upper()})
    assert path.read_bytes() == BODY
    facts = artefacts.read_json(record)
    assert facts.pop("retrieved").endswith("+00:00")
    assert facts == {"url": shop.url, "bytes": len(BODY), "sha256": sha256}
    assert sorted(p.name for p in path.parent.iterdir()) == sorted([path.name, record.name])
    assert sha256 in capsys.readouterr().out


def test_dropped_connection_goes_on_where_it_stopped(shop, path):
    shop.cuts = [HALF]
    assert download.fetch(shop.url, path)["bytes"] == len(BODY)
    assert path.read_bytes() == BODY
    assert shop.requests == [(None, 200), (f"bytes={HALF}-", 206)]


def test_many_drops_are_survived_while_bytes_arrive(shop, path):
    shop.cuts = [20_000] * 10
    download.fetch(shop.url, path)
    assert path.read_bytes() == BODY
    assert len(shop.requests) == 11


def test_a_whole_file_of_a_version_without_a_name_is_fetched_again(shop, path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    shop.tag = None
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(download, "_check_gzip", killed)
        download.fetch(shop.url, path)
    assert [p.name for p in path.parent.iterdir() if p.suffix == ".part"]
    assert download.fetch(shop.url, path)["bytes"] == len(BODY)
    assert path.read_bytes() == BODY and len(shop.requests) == 2


def test_a_later_call_resumes(shop, path):
    interrupted(shop, path)
    download.fetch(shop.url, path)
    assert path.read_bytes() == BODY
    assert shop.requests == [(f"bytes={HALF}-", 206)]


def test_resumes_by_date_where_the_tag_is_weak(shop, path, monkeypatch):
    date = "Tue, 01 May 2018 00:00:00 GMT"
    monkeypatch.setattr(download, "_validator", lambda _: date)
    shop.cuts, shop.tag = [HALF], date  # the server compares If-Range with what it calls a tag
    download.fetch(shop.url, path)
    assert path.read_bytes() == BODY
    assert shop.requests[-1] == (f"bytes={HALF}-", 206)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"ETag": '"a"', "Last-Modified": "date"}, '"a"'),
        ({"ETag": 'W/"a"', "Last-Modified": "date"}, "date"),
        ({"ETag": 'W/"a"', "Last-Modified": None}, None),
    ],
)
def test_only_strong_tags_name_a_version(headers, expected):
    class Response:
        pass

    Response.headers = headers
    assert download._validator(Response) == expected


def test_changed_file_starts_afresh(shop, path):
    interrupted(shop, path)
    shop.body, shop.tag = OTHER, '"two"'
    download.fetch(shop.url, path)
    assert path.read_bytes() == OTHER
    assert shop.requests == [(f"bytes={HALF}-", 200)]


def test_changed_file_behind_a_server_that_ignores_if_range(shop, path, monkeypatch):
    interrupted(shop, path)
    shop.body = OTHER
    answer = shop.answer

    def careless(request):
        shop.tag = request.headers["If-Range"]  # whatever is asked, the version matches
        answer(request)

    monkeypatch.setattr(shop, "answer", careless)
    download.fetch(shop.url, path)
    assert path.read_bytes() == OTHER  # told apart by the length in Content-Range


def test_server_that_ignores_range(shop, path):
    shop.ranges, shop.cuts = False, [HALF]
    download.fetch(shop.url, path)
    assert path.read_bytes() == BODY
    assert shop.requests == [(None, 200), (f"bytes={HALF}-", 200)]


def test_without_a_version_nothing_is_resumed(shop, path):
    shop.tag, shop.cuts = None, [HALF]
    download.fetch(shop.url, path)
    assert path.read_bytes() == BODY
    assert shop.requests == [(None, 200), (None, 200)]


def test_another_url_does_not_continue_old_bytes(shop, path):
    interrupted(shop, path)
    download.fetch(shop.url + "?edition=2", path)
    assert path.read_bytes() == BODY
    assert shop.requests == [(None, 200)]


def test_complete_part_needs_no_request(shop, path):
    interrupted(shop, path)
    path.with_name(path.name + ".part").write_bytes(BODY)
    download.fetch(shop.url, path)
    assert path.read_bytes() == BODY
    assert shop.requests == []


def test_part_longer_than_the_file_is_dropped(shop, path):
    interrupted(shop, path)
    path.with_name(path.name + ".part").write_bytes(BODY + b"more")
    download.fetch(shop.url, path)
    assert path.read_bytes() == BODY
    assert [status for _, status in shop.requests] == [416, 200]


def test_server_trouble_passes(shop, path):
    shop.statuses = [503, 429]
    download.fetch(shop.url, path)
    assert path.read_bytes() == BODY


def test_refusal_is_not_repeated(shop, path):
    shop.statuses = [404]
    with pytest.raises(ConnectionError, match=r"reviews\.json\.gz answers 404.*raw_dir=FOLDER"):
        download.fetch(shop.url, path)
    assert shop.requests == [(None, 404)]


def test_offline_names_address_and_alternative(shop, path):
    shop.close()
    with pytest.raises(ConnectionError) as caught:
        download.fetch(shop.url, path)
    for part in (shop.url, "refused", "put reviews.json.gz", "--config raw_dir=FOLDER"):
        assert part in str(caught.value)
    assert "bytes are kept" not in str(caught.value)


def test_a_full_disk_is_named_and_what_is_there_goes_on_later(shop, path, monkeypatch):
    transfer = download._transfer

    def full(url, part):
        with pytest.raises(download._Interrupted):
            transfer(url, part)
        raise OSError(errno.ENOSPC, "No space left on device")

    shop.cuts = [HALF]
    with monkeypatch.context() as here:
        here.setattr(download, "_transfer", full)
        with pytest.raises(DiskFull, match=f"{path.name}.part needs more than there is"):
            download.fetch(shop.url, path)
    download.fetch(shop.url, path)
    assert path.read_bytes() == BODY and shop.requests[-1] == (f"bytes={HALF}-", 206)


def test_other_digest_names_both(shop, path):
    with pytest.raises(ValueError) as caught:
        download.fetch(shop.url, path, "ab" * 32)
    assert "ab" * 32 in str(caught.value)
    assert hashlib.sha256(BODY).hexdigest() in str(caught.value)
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize(
    "body", [b"<html>Please sign in</html>", BODY[:-100], BODY[:-8] + b"\0" * 8, b""]
)
def test_what_is_no_whole_gzip_file_is_refused(shop, path, body):
    shop.body = body
    with pytest.raises(ValueError, match="no whole gzip file"):
        download.fetch(shop.url, path)
    assert not list(path.parent.iterdir())


def test_cut_without_announced_length_is_noticed_by_the_gzip_check(shop, path):
    shop.length, shop.cuts = False, [HALF]
    with pytest.raises(ValueError, match="no whole gzip file"):
        download.fetch(shop.url, path)


def test_local_address_is_refused(path):
    with pytest.raises(ValueError, match="no http"):
        download.fetch(path.as_uri(), path)
