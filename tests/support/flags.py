"""Flags as visitors make them: of noise, which no other photo looks like, unless a test brings its own."""

from __future__ import annotations

from typing import Any

from smartbreed.feedback.flags import FlagRequest, FlagService
from support.photos import noise


def flag_request(seed: int = 0, **changes: Any) -> FlagRequest:
    """A valid request about photo ``seed``: this Birman is a Siamese; with what the test wants different."""
    values: dict[str, Any] = {
        "pixels": noise(seed),
        "verdict": "wrong",
        "label": "siamese",
        "predicted": "birman",
        "probability": 0.7,
        "species": "cat",
        "pet_index": 1,
        "box": (1.0, 2.0, 30.0, 31.0),
        "model_revision": "0123abc",
        "consent": True,
        "flagger_token": "ann",
    }
    return FlagRequest(**(values | changes))


def flag(flags: FlagService, seed: int = 0, who: str = "ann", **changes: Any) -> str:
    """Save one; its id."""
    return flags.save(flag_request(seed, flagger_token=who, **changes)).flag_id
