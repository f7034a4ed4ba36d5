"""Signed values that travel through the client and back, in links and cookies."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

from itsdangerous import SignatureExpired, TimestampSigner, URLSafeTimedSerializer

#: Tolerated clock difference in seconds, between two machines or before and after a clock was set.
CLOCKS_DIFFER_S = 300
#: Characters of a signed text that are read; a longer one is cut off and so fails the check.
_LONGEST = 16_384


class SignedValues:
    """Serialises values as signed text and reads them back.

    Args:
        secret: of the installation.
        purpose: what the texts are for; a text signed for one purpose is refused for any other.
        lasts_s: how long a text is valid, in seconds.
        clock: returns the time in seconds.

    Example:
        >>> values = SignedValues(b"a secret", "greetings", 60)
        >>> values.read(values.sign(["hello"]))
        ['hello']
    """

    def __init__(
        self, secret: bytes, purpose: str, lasts_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        class Signer(TimestampSigner):
            def get_timestamp(self) -> int:
                return int(clock())

        self._lasts_s, self._clock = lasts_s, clock
        self._serializer = URLSafeTimedSerializer(
            secret,
            salt=f"smartbreed {purpose}",
            signer=Signer,
            signer_kwargs={"digest_method": hashlib.sha256},
        )

    def sign(self, value: Any) -> str:
        """Return a JSON-serialisable value as signed, URL-safe text."""
        text = self._serializer.dumps(value)
        return text if isinstance(text, str) else text.decode()

    def read(self, text: str) -> Any:
        """Return the value of a text made by `sign`.

        Raises:
            itsdangerous.BadData: the text is forged, damaged or too old.
        """
        value, signed = self._serializer.loads(text[:_LONGEST], return_timestamp=True)
        # max_age is not used: it refuses a text from a machine whose clock is a second ahead of ours.
        if not -CLOCKS_DIFFER_S <= self._clock() - signed.timestamp() <= self._lasts_s:
            raise SignatureExpired("The signature is too old.", payload=value, date_signed=signed)
        return value
