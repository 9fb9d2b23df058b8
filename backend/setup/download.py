# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches one large file over HTTP: goes on where an earlier try stopped, and believes nothing but size and SHA-256.

Only setup, which a person runs in a terminal, comes here; nothing that Blender starts reaches the network.
"""

import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from s2c_blender.wire.errors import PianoHandsError, write_failed

_PIECE = 1 << 20  # bytes
_PATIENCE = 60.0  # seconds without a byte
_TRIES = 5  # that bring nothing, one after the other
_PAUSE = 2.0  # seconds before the next try, doubled each time

Report = Callable[[int, int], None]  # bytes that are there, of all


@dataclass(frozen=True)
class RemoteFile:
    """A published file. `sha256` is empty where nobody publishes it."""

    url: str
    name: str
    size: int
    sha256: str = ""


class _StartOver(Exception):
    """What is there cannot be gone on with."""


def fetch(file: RemoteFile, target: Path, report: Report = lambda done, total: None) -> None:
    """Put the file in place, whole; until then it lies beside it as `.part`.

    Raises PianoHandsError('bad-download', 'no-connection', 'write-failed').
    """
    if target.exists() and target.stat().st_size == file.size and _digest_fits(target, file):
        return
    part = target.with_name(f"{target.name}.part")
    _fetch_rest(file, part, report)
    if not _digest_fits(part, file):
        part.unlink()
        raise PianoHandsError(
            "bad-download",
            f"{file.name} came with another SHA-256 than the published one; it was thrown away.",
            "Run the same command again. If it stays so, the published file is not to be trusted.",
        )
    try:
        os.replace(part, target)
    except OSError as error:
        raise write_failed(target, error) from error


def read_small(url: str, *, most: int) -> bytes:
    """A short answer. Raises PianoHandsError('no-connection', 'bad-download')."""
    try:
        with _open(url) as response:
            content = response.read(most + 1)
    except (OSError, http.client.HTTPException) as error:
        raise _no_connection(url, error) from error
    if len(content) > most:
        raise PianoHandsError("bad-download", f"{url} answers with far too much.", "Look whether the address is right.")
    return content


def _fetch_rest(file: RemoteFile, part: Path, report: Report) -> None:
    tries, most = 0, _size(part)
    while (have := _size(part)) != file.size or not part.exists():
        try:
            _go_on(file, part, 0 if have > file.size else have, report)
            reason: Exception = ConnectionError("it broke off")
        except _StartOver:
            part.unlink(missing_ok=True)
            reason = ConnectionError("it has to be started over")
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) and 400 <= error.code < 500 and error.code not in (408, 429):
                raise _no_connection(file.url, error) from error
            reason = error
        now = _size(part)
        if now == file.size:
            continue
        tries = 0 if now > most else tries + 1
        most = max(most, now)
        if tries >= _TRIES:
            raise _no_connection(file.url, reason) from reason
        time.sleep(_PAUSE * 2**tries)


def _go_on(file: RemoteFile, part: Path, have: int, report: Report) -> None:
    """Ask for what is missing and write down what comes; a server that knows no ranges begins anew."""
    try:
        response = _open(file.url, begin=have)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # Range Not Satisfiable
            raise _StartOver from error
        raise
    with response:
        if response.status == 206:
            told = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
            if told is None or int(told[1]) != have:
                raise _StartOver
            total = told[2]
        else:
            have, total = 0, response.headers.get("Content-Length", "*")
        if total not in ("*", str(file.size)):
            raise PianoHandsError(
                "bad-download",
                f"{file.name} has {total} bytes there instead of {file.size}.",
                "Look whether the address is right, or wait until what is published there fits together again.",
            )
        _write(response, part, have, file, report)


def _write(response: http.client.HTTPResponse, part: Path, have: int, file: RemoteFile, report: Report) -> None:
    try:
        output = open(part, "r+b" if have else "wb")  # noqa: SIM115 - an error in opening is another than one in reading
    except OSError as error:
        raise write_failed(part, error) from error
    with output:
        output.seek(have)
        output.truncate()
        while piece := response.read(_PIECE):
            have += len(piece)
            if have > file.size:
                raise PianoHandsError("bad-download", f"{file.name} goes on after its end.", "Look whether the address is right.")
            try:
                output.write(piece)
            except OSError as error:
                raise write_failed(part, error) from error
            report(have, file.size)


def _open(url: str, *, begin: int = 0) -> http.client.HTTPResponse:
    _check_address(url)
    request = urllib.request.Request(url, headers={"User-Agent": "piano-hands", "Accept-Encoding": "identity"})
    if begin:
        request.add_header("Range", f"bytes={begin}-")
    response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=_PATIENCE)
    try:
        _check_address(response.url)  # where redirections have led
    except PianoHandsError:
        response.close()
        raise
    return response


def _check_address(url: str) -> None:
    """Encrypted, or on this machine."""
    address = urlsplit(url)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in ("localhost", "127.0.0.1", "::1")):
        raise PianoHandsError("bad-download", f"{url} is no https address.", "Give one that begins with https://.")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digest_fits(path: Path, file: RemoteFile) -> bool:
    if not file.sha256:
        return True
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == file.sha256


def _no_connection(url: str, error: Exception) -> PianoHandsError:
    return PianoHandsError(
        "no-connection",
        f"{url} cannot be fetched: {error}.",
        "Run the same command again: it goes on where it stopped. Another address can be given with --address.",
    )
