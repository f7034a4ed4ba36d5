"""A model's first answers are slow: ask for them before the model serves."""

from __future__ import annotations

import numpy as np

from smartbreed.core.errors import BundleError
from smartbreed.imaging.photo import Photo
from smartbreed.inference.pipeline import Identifier, self_test_picture

#: Width and height of a phone's picture as browsers send it, pixels.
_SIZE = (1600, 1200)


def warm_up(identifier: Identifier) -> None:
    """Identify a picture of usual size in every interpreter, as pets and as a whole.

    Raises:
        BundleError: the model cannot.
    """
    side = max(_SIZE)
    pixels = np.ascontiguousarray(self_test_picture(side)[: _SIZE[1], : _SIZE[0]])
    photo = Photo(pixels, "", "warm-up")
    try:
        for whole in (False, True):
            identifier.identify_many([photo] * identifier.threads, whole=whole)
    except (ValueError, RuntimeError, KeyError, IndexError):
        raise BundleError("The model fails on a picture of usual size.") from None
