"""The optional extras of ``pyproject.toml`` and their packages; serving needs none of them."""

from __future__ import annotations

from importlib.util import find_spec
from types import MappingProxyType

from smartbreed.core.errors import UnavailableError

#: Extra → package → the module that it is imported as.
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
    """Check that an extra is installed, without importing any of it.

    Args:
        extra: a key of `EXTRAS`.
        what: start of the sentence, such as ``"Training needs"``.

    Raises:
        UnavailableError: ``not_installed``; the sentence says what is missing and how to install it.
    """
    if missing := [package for package, module in EXTRAS[extra].items() if find_spec(module) is None]:
        raise UnavailableError(
            "not_installed", f"{what} {', '.join(missing)}; run `pip install 'smartbreed[{extra}]'`."
        )
