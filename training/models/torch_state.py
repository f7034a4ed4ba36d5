"""Read a PyTorch state dict without torch. Only tensors are accepted, so no code in the file can run.

Both formats of ``torch.save`` are supported: the current zip (``data.pkl`` and one file per storage) and the
format before 1.6 (five pickles, then each storage preceded by its length). They are defined in
https://github.com/pytorch/pytorch/blob/main/torch/serialization.py.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}
_MAGIC = 0x1950A86A20F9469CFC6C


class _StorageType:
    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)


class _Storage:
    """A flat array that may be filled after the tensors that are views of it are created."""

    def __init__(self, kind: _StorageType, count: int) -> None:
        self.dtype, self.count = kind.dtype, count
        self.values: np.ndarray | None = None

    def fill(self, data: bytes) -> None:
        if len(data) != self.count * self.dtype.itemsize:
            raise ValueError(f"a storage of {self.count} numbers holds {len(data)} bytes")
        self.values = np.frombuffer(data, self.dtype)


class _Tensor:
    def __init__(
        self, storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
    ) -> None:
        self.storage, self.offset, self.size, self.stride = storage, offset, tuple(size), tuple(stride)

    def array(self) -> np.ndarray:
        values = self.storage.values
        last = self.offset + sum((n - 1) * s for n, s in zip(self.size, self.stride, strict=True))
        if values is None or self.offset < 0 or min(self.stride, default=0) < 0 or last >= len(values):
            raise ValueError("a tensor lies outside its storage")
        strides = [step * values.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.size, strides).copy()


class _TensorsOnly(pickle.Unpickler):
    def __init__(self, file: IO[bytes], storage: Callable[[_StorageType, str, int], _Storage]) -> None:
        super().__init__(file)
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in _DTYPES:
            return _StorageType(_DTYPES[name])
        raise pickle.UnpicklingError(f"holds {module}.{name}, which is no tensor")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, key, count = pid[1], pid[2], pid[4]
        if not isinstance(kind, _StorageType) or not isinstance(key, str) or not isinstance(count, int):
            raise pickle.UnpicklingError("holds a storage of an unknown kind")
        return self._storage(kind, key, count)


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of a ``.pth`` file by name; scalars have no axes.

    Raises:
        ValueError: the file is not a state dict, or holds anything but tensors; the message ends with the
            path.
        OSError: the file cannot be read.
    """
    storages: dict[str, _Storage] = {}

    def storage(kind: _StorageType, key: str, count: int) -> _Storage:
        return storages.setdefault(key, _Storage(kind, count))

    try:
        with open(path, "rb") as file:
            found = _read_zip(file, storage, storages) if zipfile.is_zipfile(file) else _read_old(
                file, storage, storages
            )  # fmt: skip
        return {str(name): tensor.array() for name, tensor in found.items()}
    except (pickle.UnpicklingError, KeyError, EOFError, ValueError, TypeError, AttributeError, IndexError,
            struct.error, zipfile.BadZipFile, zlib.error) as error:  # fmt: skip
        raise ValueError(f"No state dict of tensors: {error}. Received: {path}") from None


def _read_zip(file: IO[bytes], storage: Any, storages: dict[str, _Storage]) -> Any:
    with zipfile.ZipFile(file) as archive:
        (listing,) = [name for name in archive.namelist() if name.endswith("data.pkl")]
        found = _TensorsOnly(io.BytesIO(archive.read(listing)), storage).load()
        for key, values in storages.items():
            values.fill(archive.read(f"{listing.removesuffix('data.pkl')}data/{key}"))
    return found


def _read_old(file: IO[bytes], storage: Any, storages: dict[str, _Storage]) -> Any:
    file.seek(0)
    magic, _version, _system, found, keys = (_TensorsOnly(file, storage).load() for _ in range(5))
    if magic != _MAGIC:
        raise ValueError("it does not begin as one")
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        if count != storages[key].count:
            raise ValueError(f"storage {key} has another length than its tensors expect")
        storages[key].fill(file.read(count * storages[key].dtype.itemsize))
    return found
