"""Values that leave the machine signed and come back: in links, in cookies."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

from itsdangerous import SignatureExpired, TimestampSigner, URLSafeTimedSerializer

#: How far the clocks of two machines, or of one before and after it was set, may lie apart, in seconds.
CLOCKS_DIFFER_S = 300
#: Longest text that is looked at, in characters.
_LONGEST = 16_384


class SignedValues:
    """Turns values into signed text and back.

    Args:
        secret: of the installation.
        purpose: text signed for one purpose never serves another.
        lasts_s: how long a text works, in seconds.
        clock: the time in seconds.

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
        """A value of JSON's kinds as text that fits into an address."""
        text = self._serializer.dumps(value)
        return text if isinstance(text, str) else text.decode()

    def read(self, text: str) -> Any:
        """The value of a text that `sign` made.

        Raises:
            itsdangerous.BadData: it is forged, damaged or too old.
        """
        value, signed = self._serializer.loads(text[:_LONGEST], return_timestamp=True)
        # Not by max_age: that refuses what a machine signed whose clock is a second ahead of ours.
        if not -CLOCKS_DIFFER_S <= self._clock() - signed.timestamp() <= self._lasts_s:
            raise SignatureExpired("The signature is too old.", payload=value, date_signed=signed)
        return value
