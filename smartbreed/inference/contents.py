"""Check that the files of a model bundle hold only numbers and documents, nothing that runs.

The program itself only opens ``.tflite`` networks, ``.weights.h5`` weights and ``.npz`` arrays,
and unpickles nothing. Files that it would never open are refused all the same, because a person
who downloads a bundle may open them with a less careful tool.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from smartbreed.core.archives import BROKEN_ZIP
from smartbreed.core.errors import BundleError

_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".dill", ".mar", ".bin")
_PROGRAMS = (
    ".py", ".pyc", ".pyd", ".pyz", ".ipynb", ".so", ".dll", ".dylib", ".exe", ".msi", ".com", ".bat", ".cmd",
    ".ps1", ".sh", ".js", ".mjs", ".wasm", ".jar", ".class", ".apk", ".deb", ".rpm", ".whl", ".egg",
)  # fmt: skip
_MODELS = (".keras", ".h5", ".hdf5", ".pb", ".onnx", ".mlmodel")
_WEIGHTS = ".weights.h5"
#: First bytes of programs: ELF, Windows, Mach-O (both byte orders, universal), a script, WebAssembly.
_STARTS = (
    b"\x7fELF", b"MZ", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe", b"#!", b"\0asm",
)  # fmt: skip
#: Start of a pickle of protocol 2 to 5: the protocol, then one of these opcodes.
_PICKLE = re.compile(rb"\x80[\x02-\x05][\x95\x8a\x8c(c}\]K\x85\x86\x87XUNJM\x88\x89]", re.DOTALL)
#: Header of a ``.npy`` whose dtype holds Python objects.
_OBJECTS = re.compile(rb"['\"]descr['\"]\s*:\s*(?:\[.*)?['\"][|<>=]?O\d*['\"]")
_LAMBDA = re.compile(rb"\"class_name\":\s*\"Lambda\"|\"registered_name\":\s*\"Lambda\"")
_MOST_MEMBERS = 1000
#: Maximum size, in bytes, of the texts in the zip behind a network; 133 breeds take 40 000.
_MOST_TEXT = 20_000_000


def check_contents(path: Path, name: str) -> None:
    """Refuse a file that may run code when it is opened.

    Args:
        path: the file.
        name: its name in the bundle; the suffix decides what it may hold, and messages show it.

    Raises:
        BundleError: the file is a program, holds pickled objects, is a whole model, or is an archive
            other than plain arrays.
    """
    lower = name.lower()
    with path.open("rb") as file:
        start = file.read(1024)
    if lower.endswith(_MODELS) and not lower.endswith(_WEIGHTS):
        raise _refused(name, _kind_of_model(path))
    if lower.endswith(_PICKLES) or _PICKLE.match(start):
        raise _refused(name, "may hold pickled Python objects, which run code when they are loaded")
    if lower.endswith(_PROGRAMS) or start.startswith(_STARTS):
        raise _refused(name, "is a program")
    if lower.endswith(".npy") and _OBJECTS.search(start):
        raise _refused(name, "holds pickled Python objects, which run code when they are loaded")
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        _check_archive(path, name)
    elif lower.endswith(".tflite") and zipfile.is_zipfile(path):
        _check_attached(path, name)
    elif lower.endswith(_WEIGHTS):
        _check_weights(path, name)


def check_folder(folder: Path) -> None:
    """Check every file of a downloaded snapshot, whether ``config.json`` lists it or not.

    Raises:
        BundleError: a file may run code, or cannot be checked.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            check_contents(path, path.relative_to(folder).as_posix())


def _refused(name: str, why: str) -> BundleError:
    return BundleError(
        f"The model bundle is refused: {name} {why}. "
        "A bundle holds .tflite networks, .weights.h5 weights, .npz arrays and documents."
    )


def _kind_of_model(path: Path) -> str:
    text = b""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive, archive.open("config.json") as file:
                text = file.read(10_000_000)
        else:
            text = path.read_bytes()
    except (*BROKEN_ZIP, KeyError):
        pass  # damaged: its name is reason enough
    if _LAMBDA.search(text):
        return "has a Lambda layer, which is code"
    return "is a whole model, which may hold code"


def _check_weights(path: Path, name: str) -> None:
    content = path.read_bytes()
    if _LAMBDA.search(content):
        raise _refused(name, "has a Lambda layer, which is code")
    if b"model_config" in content:  # the attribute in which Keras keeps a whole model's layers
        raise _refused(name, "is a whole model, which may hold code")


def _check_attached(path: Path, name: str) -> None:
    """Check that the zip behind a network holds only texts: its labels and its settings."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > _MOST_MEMBERS or sum(member.file_size for member in members) > _MOST_TEXT:
                raise _refused(name, "has more attached than labels and settings take")
            for member in members:
                if not member.filename.lower().endswith((".txt", ".json")):
                    raise _refused(name, "has something else than texts attached")
                archive.read(member).decode("utf-8")
    except BROKEN_ZIP:
        raise _refused(name, "has something attached that cannot be read") from None


def _check_archive(path: Path, name: str) -> None:
    """Check that an archive is an ``.npz`` of plain arrays; any other could hide anything."""
    if not name.lower().endswith(".npz"):
        raise _refused(name, "is an archive")
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > _MOST_MEMBERS:
                raise _refused(name, f"holds more than {_MOST_MEMBERS} arrays")
            for member in members:
                with archive.open(member) as file:
                    start = file.read(4096)
                if not start.startswith(b"\x93NUMPY"):
                    raise _refused(name, "holds something else than arrays")
                if _OBJECTS.search(start):
                    raise _refused(name, "holds pickled Python objects, which run code when they are loaded")
    except BROKEN_ZIP:
        raise BundleError(f"The model bundle is refused: {name} is damaged.") from None
