"""Deeper, slower explanations: Grad-CAM++, Score-CAM and SmoothGrad on the Keras network.

They need gradients or hundreds of forward passes, so tensorflow: a child process
(`training.explain.worker`) loads it on first use and is stopped when no request has
asked for a while. The serving process never imports it, and the child runs at a
low priority, so other visitors go on being served.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np

from smartbreed.core.errors import BundleError, RequestError, SmartBreedError, UnavailableError
from smartbreed.core.extras import require
from smartbreed.core.fair_lock import FairLock
from smartbreed.inference.bundle import Bundle, load_bundle
from smartbreed.inference.worker_process import Child, ChildLost

log = logging.getLogger(__name__)

#: Receives how much is done, 0…1, and what is being done.
Progress = Callable[[float, str], None]

#: Every method by id, and what people call it.
METHODS = MappingProxyType(
    {"gradcam": "Grad-CAM", "gradcam++": "Grad-CAM++", "scorecam": "Score-CAM", "smoothgrad": "SmoothGrad"}
)

#: The folder that holds both `smartbreed` and `training`.
_ROOT = Path(__file__).resolve().parents[2]
_REMEMBERED = 64
_MOST_WAITING = 8
#: Variables the child has no business with; among them are secrets.
_PRIVATE = ("HF_", "SMARTBREED_")


class DeepExplainer:
    """Explains with the Keras network of a bundle; safe to call from many threads, which take turns.

    Args:
        bundle_folder: a bundle with ``classifier.weights.h5``; read on first use.
        timeout: seconds after which an explanation is given up, loading included.
        idle: seconds without a request after which the child is stopped.
    """

    def __init__(self, bundle_folder: Path, *, timeout: float = 120.0, idle: float = 300.0) -> None:
        self._folder = Path(bundle_folder).resolve()
        self._timeout, self._idle = timeout, idle
        self._command = [sys.executable, "-m", "training.explain.worker", str(self._folder)]
        self._fair_lock = FairLock(_MOST_WAITING)
        self._state = threading.Lock()  # guards everything below; never held for long
        self._child: Child | None = None
        self._resting: threading.Timer | None = None
        self._closed = False
        self._retired = False
        self._asked = 0  # explanations under way or waiting
        self._known: OrderedDict[tuple[str, int, str], np.ndarray] = OrderedDict()

    @cached_property
    def _bundle(self) -> Bundle:
        return load_bundle(self._folder)

    @property
    def running(self) -> bool:
        """Whether the child is there, so that the next explanation needs no loading."""
        child = self._child
        return child is not None and child.alive

    def explain(
        self, pixels: np.ndarray, index: int, method: str, progress: Progress | None = None
    ) -> np.ndarray:
        """Where the network looked. Takes seconds, the first time as long as tensorflow takes to load.

        Args:
            pixels: uint8 ``(size, size, 3)``, the crop at the network's input size.
            index: the label.
            method: a key of `METHODS`.
            progress: called with what happens; an exception it raises ends the explanation, not the child.

        Returns:
            float32 ``(h, w)`` in 0…1, read-only; as large as the feature map for the CAMs, as the
            input for SmoothGrad.

        Raises:
            RequestError: unknown method, no such label, or pixels of another shape.
            UnavailableError: not installed, too busy, timed out or crashed; the next call starts afresh.
            BundleError: the bundle's Keras weights cannot be used.
        """
        self._check(pixels, index, method)
        key = (hashlib.sha256(pixels.tobytes()).hexdigest(), index, method)
        report = progress or (lambda fraction, text: None)
        if (known := self._recall(key)) is not None:
            return known
        if not self._bundle.config.classifier.weights:
            raise UnavailableError(
                "no_weights", "This model comes without Keras weights, which deeper explanations need."
            )
        require("explain", "On the server, deeper explanations need")
        said = "Waiting for another visitor's explanation ({} before yours)"
        with self._staying(), self._fair_lock.take(lambda before: report(0.0, said.format(before))):
            if (known := self._recall(key)) is not None:  # the other visitor asked the same
                return known
            heat = self._ask(pixels, index, method, report)
        with self._state:
            self._known[key] = heat
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return heat

    def retire(self) -> None:
        """Another model answers now: finish what was asked, take no more, and stop the child."""
        with self._state:
            self._retired = True
            if self._asked == 0:
                self._closed = True
                self._stop()

    def close(self) -> None:
        """Stop the child; a running explanation fails and no other can be asked for."""
        with self._state:
            self._closed = True
            self._stop()

    @contextmanager
    def _staying(self) -> Iterator[None]:
        """Keep `retire` from ending what was asked before it."""
        with self._state:
            if self._retired:
                raise _replaced()
            self._asked += 1
        try:
            yield
        finally:
            with self._state:
                self._asked -= 1
                if self._retired and self._asked == 0:
                    self._closed = True
                    self._stop()

    def _check(self, pixels: np.ndarray, index: int, method: str) -> None:
        if method not in METHODS:
            raise RequestError(
                "unknown_method", f"The methods are {', '.join(METHODS)}. Received: {str(method)[:40]!r}"
            )
        config = self._bundle.config.classifier
        if not 0 <= index < len(config.labels):
            raise RequestError(
                "unknown_breed", f"This model knows {len(config.labels)} breeds. Received: {index}"
            )
        shape = (config.input_size, config.input_size, 3)
        if pixels.dtype != np.uint8 or pixels.shape != shape:
            raise RequestError(
                "bad_pixels", f"Pixels must be uint8 {shape}. Received: {pixels.dtype} {pixels.shape}"
            )

    def _recall(self, key: tuple[str, int, str]) -> np.ndarray | None:
        with self._state:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def _ask(self, pixels: np.ndarray, index: int, method: str, report: Progress) -> np.ndarray:
        """One request; only the thread whose turn it is gets here."""
        child = self._wake()
        request = {"method": method, "index": index, "shape": pixels.shape}
        try:
            with closing(child.ask(request, pixels.tobytes(), self._timeout)) as replies:
                for header, body in replies:
                    if "error" in header:
                        log.warning("no %s explanation: %s\n%s", method, header["error"], child.stderr_tail())
                        with self._state:
                            self._stop()  # what failed to load or to compute starts afresh
                        raise _as_error(**header["error"])
                    if "progress" not in header:
                        heat = np.frombuffer(body, np.float32).reshape(header["shape"])
                        heat.setflags(write=False)
                        return heat
                    report(header["progress"], header["text"])
        except ChildLost as lost:
            with self._state:
                if not self._closed:
                    log.warning("the explaining process was lost: %s\n%s", lost, child.stderr_tail())
                self._stop()
            raise self._sorry(lost) from None
        finally:
            self._rest()
        raise AssertionError("replies end with an exception")

    def _sorry(self, lost: ChildLost) -> UnavailableError:
        if lost.timed_out:
            return UnavailableError(
                "explanation_timeout",
                f"The explanation took over {self._timeout:.0f} seconds and was stopped; please try again.",
            )
        return UnavailableError(
            "explanation_failed", "The deeper explanation ended unexpectedly; please try again."
        )

    def _wake(self) -> Child:
        """The child, started if need be, and safe from being stopped for idleness."""
        with self._state:
            if self._closed:
                raise _replaced()
            if self._resting is not None:
                self._resting.cancel()
                self._resting = None
            if self._child is None or not self._child.alive:
                self._stop()
                environment = {k: v for k, v in os.environ.items() if not k.startswith(_PRIVATE)}
                paths = [str(_ROOT), *filter(None, [environment.get("PYTHONPATH")])]
                environment["PYTHONPATH"] = os.pathsep.join(paths)
                self._child = Child(self._command, cwd=_ROOT, environment=environment)
            return self._child

    def _rest(self) -> None:
        """Stop the child later, unless it is woken again."""
        with self._state:
            if self._child is None or self._closed:
                return
            timer = threading.Timer(self._idle, lambda: self._stop_if_resting(timer))
            timer.daemon = True
            timer.start()
            self._resting = timer

    def _stop_if_resting(self, timer: threading.Timer) -> None:
        with self._state:
            if self._resting is timer:  # else a request came in the meantime
                self._stop()

    def _stop(self) -> None:
        """Stop child and timer; the caller holds the lock."""
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        if self._child is not None:
            self._child.close()
            self._child = None


def _replaced() -> UnavailableError:
    return UnavailableError(
        "explanation_closed", "This model has just been replaced; please identify the photo again."
    )


def _as_error(code: str, message: str) -> SmartBreedError:
    return BundleError(message) if code == "bad_bundle" else UnavailableError(code, message)
