"""Deeper, slower explanations: Grad-CAM++, Score-CAM and SmoothGrad on the Keras network.

These methods need gradients or hundreds of forward passes, and therefore TensorFlow. A child
process (`training.explain.worker`) loads it on first use and is stopped after a while without
requests. The serving process never imports TensorFlow, and the child runs at low priority, so
that other visitors are still served.
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

#: Callback that receives the fraction done, 0…1, and a text about the current step.
Progress = Callable[[float, str], None]

#: Method id → display name.
METHODS = MappingProxyType(
    {"gradcam": "Grad-CAM", "gradcam++": "Grad-CAM++", "scorecam": "Score-CAM", "smoothgrad": "SmoothGrad"}
)

#: The folder that holds both `smartbreed` and `training`.
_ROOT = Path(__file__).resolve().parents[2]
_REMEMBERED = 64
_MOST_WAITING = 8
#: Prefixes of environment variables that the child must not see; some of them are secrets.
_PRIVATE = ("HF_", "SMARTBREED_")


class DeepExplainer:
    """Explains answers with the Keras network of a bundle; safe to call from many threads, which take turns.

    Args:
        bundle_folder: a bundle with ``classifier.weights.h5``; read on first use.
        timeout: seconds after which an explanation is aborted, loading included.
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
        self._asked = 0  # explanations running or waiting
        self._known: OrderedDict[tuple[str, int, str], np.ndarray] = OrderedDict()

    @cached_property
    def _bundle(self) -> Bundle:
        return load_bundle(self._folder)

    @property
    def running(self) -> bool:
        """True when the child is alive, so that the next explanation need not start it."""
        child = self._child
        return child is not None and child.alive

    def explain(
        self, pixels: np.ndarray, index: int, method: str, progress: Progress | None = None
    ) -> np.ndarray:
        """Compute where the network looked; takes seconds, and longer when TensorFlow has to be loaded.

        Args:
            pixels: uint8 ``(size, size, 3)``, the crop at the network's input size.
            index: position of the label in the logits.
            method: a key of `METHODS`.
            progress: called during the work; an exception it raises ends the explanation, not the child.

        Returns:
            float32 ``(h, w)`` in 0…1, read-only; as large as the feature map for the CAMs, as large as
            the input for SmoothGrad.

        Raises:
            RequestError: unknown method, no such label, or pixels of the wrong shape.
            UnavailableError: the extra is not installed, the bundle has no Keras weights, too many
                requests wait, the model was replaced, or the child timed out or crashed; after the
                last two, the next call starts a new child.
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
            if (known := self._recall(key)) is not None:  # another visitor has just asked for the same
                return known
            heat = self._ask(pixels, index, method, report)
        with self._state:
            self._known[key] = heat
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return heat

    def retire(self) -> None:
        """Finish pending explanations, refuse new ones, then stop the child: another model has taken over."""
        with self._state:
            self._retired = True
            if self._asked == 0:
                self._closed = True
                self._stop()

    def close(self) -> None:
        """Stop the child at once: a running explanation fails, and new ones are refused."""
        with self._state:
            self._closed = True
            self._stop()

    @contextmanager
    def _staying(self) -> Iterator[None]:
        """Count an explanation as pending, so that `retire` waits for it."""
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
        """Send one request to the child; only the thread that holds the fair lock may call this."""
        child = self._wake()
        request = {"method": method, "index": index, "shape": pixels.shape}
        try:
            with closing(child.ask(request, pixels.tobytes(), self._timeout)) as replies:
                for header, body in replies:
                    if "error" in header:
                        log.warning("no %s explanation: %s\n%s", method, header["error"], child.stderr_tail())
                        with self._state:
                            self._stop()  # after a failure, the next request gets a new child
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
        """Return the child, started if necessary, and cancel its idle timer."""
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
        """Start the idle timer, which stops the child unless `_wake` cancels it."""
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
        """Stop child and timer; the caller holds ``_state``."""
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
