"""Try a release in a process of its own: what crashes or hangs there takes no app down.

A network is a program for LiteRT. A damaged or hostile one may crash the process that
runs it, which no ``except`` can catch.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from smartbreed.core.errors import BundleError
from smartbreed.inference.bundle import Bundle

#: Seconds after which a smoke test is given up.
TIMEOUT_S = 120.0
#: Address space of the smoke test, in bytes; the embedded model's takes under a quarter.
_MEMORY = 6 << 30
_ROOT = Path(__file__).resolve().parents[2]
#: Variables the child has no business with; among them are secrets.
_PRIVATE = ("HF_", "SMARTBREED_")
_REFUSED = 3
_INCONCLUSIVE = 4
#: What a network cannot do to the process that runs it: the machine or a person ended the smoke test.
_FROM_OUTSIDE = frozenset(
    -number for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU)
)


class InconclusiveError(BundleError):
    """The smoke test did not come to its end, so nothing is known: the release is tried again later."""


def try_out(bundle: Bundle, timeout: float = TIMEOUT_S) -> None:
    """Load a bundle and identify a picture with it, elsewhere.

    Raises:
        InconclusiveError: the smoke test was killed (memory), took too long or could not be started; a good
            release on a busy machine does that too.
        BundleError: it does not load, fails its self-test or crashes.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)}
    environment["PYTHONPATH"] = os.pathsep.join([str(_ROOT), *filter(None, [environment.get("PYTHONPATH")])])
    try:
        done = subprocess.run(
            [sys.executable, "-m", "smartbreed.registry.smoke_test", str(bundle.folder.absolute())],
            cwd=_ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise InconclusiveError(
            f"The model did not finish its self-test in {timeout:.0f} seconds; it is tried again later."
        ) from None
    except OSError as error:
        raise InconclusiveError(
            f"The model could not be tried ({error.strerror or error}); it is tried again later."
        ) from None
    if done.returncode == _REFUSED:
        raise BundleError(str(json.loads(done.stdout)["message"]))
    if done.returncode in _FROM_OUTSIDE or done.returncode == _INCONCLUSIVE:
        raise InconclusiveError(
            f"The smoke test of the model was ended from outside (status {done.returncode}), often because "
            "the memory ran out; it is tried again later."
        )
    if done.returncode:
        raise BundleError(f"The model crashed when it was tried (status {done.returncode}).")


def _main(folder: str) -> int:
    import resource

    os.nice(5)  # visitors are served meanwhile
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    from smartbreed.inference.bundle import load_bundle
    from smartbreed.inference.pipeline import Identifier
    from smartbreed.registry.warm_up import warm_up

    try:
        warm_up(Identifier(load_bundle(folder), threads=1))
    except BundleError as error:
        print(json.dumps({"message": error.message}))
        return _REFUSED
    except MemoryError:
        print(json.dumps({"message": "The model needs more memory than a model may."}))
        return _REFUSED
    except OSError:
        return _INCONCLUSIVE  # the disk, not the model
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
