"""Try a release in a separate process, so that a crash or a hang does not take the app down.

A network is a program that LiteRT runs. A damaged or hostile one may crash its process, which no
``except`` can catch.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from smartbreed.core.errors import BundleError, StorageError
from smartbreed.inference.bundle import Bundle

#: Longest duration of a smoke test, in seconds.
TIMEOUT_S = 120.0
#: Most address space that a smoke test may use, in bytes; the embedded model needs under a quarter of it.
_MEMORY = 6 << 30
_ROOT = Path(__file__).resolve().parents[2]
#: Prefixes of environment variables that the child does not need; some hold secrets.
_PRIVATE = ("HF_", "SMARTBREED_")
#: Exit statuses of the child: the model cannot be served, and the disk failed.
_REFUSED = 3
_INCONCLUSIVE = 4
#: Return codes after a signal that the machine or a person sent, not one that a faulty network causes.
_FROM_OUTSIDE = frozenset(
    -number for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU)
)


class InconclusiveError(BundleError):
    """The smoke test did not finish, so it has no result; the release is tried again later."""


def try_out(bundle: Bundle, timeout: float = TIMEOUT_S) -> None:
    """Load a bundle and identify a picture with it, in a separate process.

    Raises:
        InconclusiveError: the smoke test was killed (memory), took too long or could not be started; on a
            busy machine, this happens to good releases too.
        BundleError: the bundle does not load, fails its self-test or crashes the process.
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

    os.nice(5)  # the app is serving visitors meanwhile
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
    except (OSError, StorageError):
        return _INCONCLUSIVE  # a fault of the disk, not of the model
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
