"""Fetches LiteRT.js, which runs the networks in a browser, from the npm registry and verifies its checksum.

``python -m smartbreed.web.pages.offline.runtime`` (``make offline``) stores it beside the page's files. It is
not in the repository because it is 10 MB of third-party code.
"""

from __future__ import annotations

import base64
import hashlib
import io
import sys
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

from smartbreed.core.errors import SmartBreedError
from smartbreed.core.files import replace_durably, write_tmp

REGISTRY = "https://registry.npmjs.org"
FOLDER = Path(__file__).parents[2] / "static" / "offline" / "vendor"
#: npm package → sha512 of its archive in base64, and the files taken from it with their names here.
_PACKAGES = {
    "@litertjs/core@2.5.3": (
        "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
        {
            "dist/index.js": "litert.js",
            "wasm/litert_wasm_internal.js": "litert_wasm_internal.js",
            "wasm/litert_wasm_internal.wasm": "litert_wasm_internal.wasm",
            "wasm/litert_wasm_compat_internal.js": "litert_wasm_compat_internal.js",
            "wasm/litert_wasm_compat_internal.wasm": "litert_wasm_compat_internal.wasm",
        },
    ),
    "@litertjs/wasm-utils@2.5.3": (
        "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
        {"dist/index.js": "wasm-utils.js"},
    ),
}
#: Names of all files of the runtime.
FILES = tuple(name for _, taken in _PACKAGES.values() for name in taken.values())


def is_there(folder: Path = FOLDER) -> bool:
    """Return True if every file of the runtime is present."""
    return all((folder / name).is_file() for name in FILES)


def fetch(folder: Path = FOLDER, registry: str = REGISTRY) -> None:
    """Fetch the runtime, unless every file is present.

    Raises:
        SmartBreedError: the registry cannot be reached, or an archive has the wrong checksum.
    """
    if is_there(folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    for package, (sha512, taken) in _PACKAGES.items():
        content = fetch_package(package, sha512, registry, "/offline")
        with tarfile.open(fileobj=io.BytesIO(content)) as packed:
            for inside, kept in taken.items():
                member = packed.extractfile(f"package/{inside}")
                assert member is not None  # the checksum fixes which files the archive holds
                # Without a bundler, one package must import the other by its file's name.
                text = member.read().replace(b'"@litertjs/wasm-utils"', b'"./wasm-utils.js"')
                replace_durably(write_tmp(folder, kept, text), folder / kept)


def fetch_package(package: str, sha512: str, registry: str, needed_by: str) -> bytes:
    """Fetch the archive of an npm package.

    Args:
        package: ``NAME@VERSION``.
        sha512: expected checksum of the archive, in base64.
        registry: URL of the npm registry.
        needed_by: what needs the package, such as ``/offline``; used in the error message.

    Raises:
        SmartBreedError: the registry cannot be reached, or the archive has the wrong checksum.
    """
    name, _, version = package.rpartition("@")
    address = f"{registry}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            content = bytes(answer.read())
    except (OSError, urllib.error.URLError):
        raise SmartBreedError(
            "no_runtime", f"{address} cannot be fetched; {needed_by} needs it. Try again with a connection."
        ) from None
    if base64.b64encode(hashlib.sha512(content).digest()).decode() != sha512:
        raise SmartBreedError("no_runtime", f"{address} is not the expected file; nothing of it was kept.")
    return content


if __name__ == "__main__":
    try:
        fetch()
    except SmartBreedError as error:
        sys.exit(error.message)
