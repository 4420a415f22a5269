import functools
import gzip
import hashlib
import http.server
import io
import os
import stat
import tarfile
import threading

import pytest
from network_pruning.data import sources
from network_pruning.data.data_loaders import mnist_digits_loader
from network_pruning.data.sources import (
    DatasetFiles,
    DebianPackage,
    Folder,
    HttpsMirror,
    NpmPackage,
    SourceError,
    fetch_files,
)
from network_pruning.utils import RunError

CONTENT = {"one": b"first file", "two": b"second file"}
FILES = DatasetFiles("toy", {n: hashlib.sha256(c).hexdigest() for n, c in CONTENT.items()})


def test_data_of_earlier_versions_are_the_same_data():
    digest = "c65580678af93f1ea48c2c0d01d543ec89307c6b8a0eb7ca542d7c18c5f4c681"
    assert mnist_digits_loader.DIGITS.digest == digest


class Shelf:
    """A source for tests: yields what it is given and remembers what it was asked for."""

    def __init__(self, name, content, reason=None):
        self.name, self.content, self.reason, self.asked = name, content, reason, []

    def __str__(self):
        return self.name

    def fetch(self, wanted):
        self.asked += list(wanted)
        yield from [(f, self.content[f]) for f in list(wanted) if f in self.content]
        if self.reason:
            raise SourceError(self.reason)


def test_files_are_fetched_once_and_kept(tmp_path):
    shelf = Shelf("shelf", CONTENT)
    assert fetch_files(FILES, [shelf], tmp_path) == CONTENT
    assert (tmp_path / "toy" / "one").read_bytes() == CONTENT["one"]
    assert fetch_files(FILES, [shelf], tmp_path) == CONTENT
    assert shelf.asked == ["one", "two"]
    assert sorted(path.name for path in (tmp_path / "toy").iterdir()) == ["one", "two"]


@pytest.mark.parametrize("place", ["", "toy"])
def test_the_user_may_place_files_raw_or_gzipped(tmp_path, place):
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "one").write_bytes(CONTENT["one"])
    (tmp_path / place / "two.gz").write_bytes(gzip.compress(CONTENT["two"]))
    assert fetch_files(FILES, [], tmp_path) == CONTENT


def test_a_wrong_hash_is_refused_and_the_next_source_asked(tmp_path):
    bad = Shelf("bad", {"one": b"tampered", "two": CONTENT["two"]})
    good = Shelf("good", CONTENT)
    assert fetch_files(FILES, [bad, good], tmp_path) == CONTENT
    assert good.asked == ["one"]


def test_a_corrupt_cached_file_is_fetched_again(tmp_path):
    fetch_files(FILES, [Shelf("shelf", CONTENT)], tmp_path)
    (tmp_path / "toy" / "one").write_bytes(b"rotten")
    assert fetch_files(FILES, [Shelf("shelf", CONTENT)], tmp_path) == CONTENT
    assert (tmp_path / "toy" / "one").read_bytes() == CONTENT["one"]


def test_a_corrupt_raw_file_does_not_hide_a_good_gzipped_one(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "one").write_bytes(b"rotten")
    for name, content in CONTENT.items():
        (tmp_path / "toy" / f"{name}.gz").write_bytes(gzip.compress(content))
    assert fetch_files(FILES, [], tmp_path) == CONTENT


@pytest.mark.parametrize(
    "broken",
    [b"", b"not gzip", gzip.compress(CONTENT["one"])[:-6]],
    ids=["empty", "another format", "cut off"],  # not the bytes, which hold the time
)
def test_a_broken_gzip_is_refused(tmp_path, broken):
    (tmp_path / "one.gz").write_bytes(broken)
    (tmp_path / "two").write_bytes(CONTENT["two"])
    with pytest.raises(RunError, match="one has the wrong SHA-256"):
        fetch_files(FILES, [], tmp_path)


def test_unpacking_stops_at_the_size_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 100)
    (tmp_path / "one.gz").write_bytes(gzip.compress(bytes(10**6)))
    (tmp_path / "two").write_bytes(CONTENT["two"])
    with pytest.raises(RunError, match="one has the wrong SHA-256"):
        fetch_files(FILES, [], tmp_path)


def test_when_all_fail_every_source_and_reason_is_listed(tmp_path):
    nothing = [Shelf("left", {}, "the door is shut"), Shelf("right", {}, "nobody home")]
    with pytest.raises(RunError) as caught:
        fetch_files(FILES, nothing, tmp_path)
    message = str(caught.value)
    assert "left: the door is shut" in message
    assert "right: nobody home" in message
    assert f"Put one, two (raw or .gz) into {tmp_path / 'toy'}" in message
    assert "`data_dir`" in message


def test_a_cache_that_cannot_be_written_does_not_stop_the_run(tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert fetch_files(FILES, [Shelf("shelf", CONTENT)], blocked) == CONTENT
    assert "one is not cached" in caplog.text


def test_many_at_once_leave_whole_files_and_no_leftovers(tmp_path):
    found = []

    def fetch():
        found.append(fetch_files(FILES, [Shelf("shelf", CONTENT)], tmp_path))

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CONTENT] * 8
    assert {p.name: p.read_bytes() for p in (tmp_path / "toy").iterdir()} == CONTENT


def test_leftovers_of_a_killed_download_are_removed(tmp_path):
    (tmp_path / "toy").mkdir()
    old, new = (tmp_path / "toy" / f".network-pruning-{name}" for name in ("old", "new"))
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    fetch_files(FILES, [Shelf("shelf", CONTENT)], tmp_path)
    assert not old.exists()
    assert new.exists()  # perhaps of a run that is still writing


def test_the_environment_names_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NETWORK_PRUNING_DATA", str(tmp_path))
    fetch_files(FILES, [Shelf("shelf", CONTENT)])
    assert (tmp_path / "toy" / "two").exists()


def test_a_system_folder_lies_behind_the_cache(tmp_path):
    (tmp_path / "system").mkdir()
    for name, content in CONTENT.items():
        (tmp_path / "system" / f"{name}.gz").write_bytes(gzip.compress(content))
    found = fetch_files(FILES, [Folder(tmp_path / "system")], tmp_path / "cache")
    assert found == CONTENT


def test_no_network_fails_fast_with_the_reason(tmp_path):
    # Port 9 of this machine: nobody listens, the connection is refused.
    with pytest.raises(RunError, match=r"https://localhost:9: .*"):
        fetch_files(FILES, [HttpsMirror("https://localhost:9")], tmp_path)


@pytest.fixture
def mirror(tmp_path):
    """A web server of this machine, and the folder it serves."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield HttpsMirror(f"http://localhost:{server.server_port}"), folder
        server.shutdown()


def test_a_mirror_is_downloaded_and_verified(tmp_path, mirror):
    source, folder = mirror
    for name, content in CONTENT.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    assert fetch_files(FILES, [source], tmp_path / "c") == CONTENT


def test_a_mirror_without_the_file_is_a_reason(tmp_path, mirror):
    source, folder = mirror
    (folder / "one.gz").write_bytes(gzip.compress(CONTENT["one"]))
    with pytest.raises(RunError, match="404"):
        fetch_files(FILES, [source], tmp_path / "c")
    # What did arrive is kept.
    assert (tmp_path / "c" / "toy" / "one").read_bytes() == CONTENT["one"]


def fake_client(folder, name, script):
    """Puts a program of that name into `folder`."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def tar_of(members, mode):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


@pytest.fixture
def clients(tmp_path, monkeypatch):
    """A folder that is searched for programs first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder


def test_an_npm_package_is_read_without_unpacking(tmp_path, clients):
    members = {f"package/data/{name}": content for name, content in CONTENT.items()}
    (tmp_path / "toy.tgz").write_bytes(tar_of({"../evil": b"x", **members}, "w:gz"))
    fake_client(clients, "npm", f'cp "{tmp_path}/toy.tgz" ./toy-1.0.tgz')
    assert fetch_files(FILES, [NpmPackage("toy@1", "package/data")], tmp_path / "c") == CONTENT
    assert not (tmp_path.parent / "evil").exists()


def test_a_debian_package_falls_back_to_lists_of_its_own(tmp_path, clients):
    members = {f"./usr/{name}.gz": gzip.compress(content) for name, content in CONTENT.items()}
    (tmp_path / "toy.tar").write_bytes(tar_of(members, "w"))
    # As on a new machine: `download` fails until `update` has been run with its own folders.
    fake_client(
        clients,
        "apt-get",
        'case "$*" in *update) touch updated;; *download*) test -e updated || exit 100;'
        " touch toy.deb;; esac",
    )
    fake_client(clients, "dpkg-deb", f'cat "{tmp_path}/toy.tar"')
    assert fetch_files(FILES, [DebianPackage("toy", "./usr")], tmp_path / "c") == CONTENT


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'E404 not found' >&2; exit 1", "npm failed: E404 not found"),
        ("exit 0", "left 0 files instead of one"),
        ("echo no archive > toy.tgz", "its archive cannot be read"),
    ],
)
def test_a_failing_npm_is_a_reason(tmp_path, clients, script, reason):
    fake_client(clients, "npm", script)
    with pytest.raises(RunError, match=reason):
        fetch_files(FILES, [NpmPackage("toy@1", "package/data")], tmp_path / "c")


def test_a_missing_client_is_a_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunError) as caught:
        fetch_files(FILES, [NpmPackage("toy", "x"), DebianPackage("toy", "y")], tmp_path / "c")
    assert "npm is not installed" in str(caught.value)
    assert "apt-get is not installed" in str(caught.value)


def test_a_file_missing_from_the_archive_is_a_reason(tmp_path, clients):
    (tmp_path / "toy.tgz").write_bytes(tar_of({"package/other": b"x"}, "w:gz"))
    fake_client(clients, "npm", f'cp "{tmp_path}/toy.tgz" ./toy-1.0.tgz')
    with pytest.raises(RunError, match="archive cannot be read"):
        fetch_files(FILES, [NpmPackage("toy@1", "package/data")], tmp_path / "c")
