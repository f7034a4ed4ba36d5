"""What the extras of ``pyproject.toml`` bring: serving needs none of them."""

from __future__ import annotations

from importlib.util import find_spec
from types import MappingProxyType

from smartbreed.core.errors import UnavailableError

#: Packages of each extra, with the module each is imported by.
EXTRAS = MappingProxyType(
    {
        "explain": {
            "h5py": "h5py", "keras": "keras", "scipy": "scipy", "tensorflow": "tensorflow",
            "tf-keras-vis": "tf_keras_vis",
        },
        "ray": {"ray": "ray"},
        "train": {
            "h5py": "h5py", "keras": "keras", "keras-tuner": "keras_tuner",
            "matplotlib": "matplotlib", "scikit-learn": "sklearn", "scipy": "scipy",
            "tensorboard": "tensorboard", "tensorflow": "tensorflow",
        },
    }
)  # fmt: skip


def require(extra: str, what: str) -> None:
    """Check that an extra is installed, without importing anything of it.

    Args:
        extra: a key of `EXTRAS`.
        what: how the sentence begins, such as ``"Training needs"``.

    Raises:
        UnavailableError: ``not_installed``; the sentence says what is missing and how to install it.
    """
    if missing := [package for package, module in EXTRAS[extra].items() if find_spec(module) is None]:
        raise UnavailableError(
            "not_installed", f"{what} {', '.join(missing)}; run `pip install 'smartbreed[{extra}]'`."
        )
