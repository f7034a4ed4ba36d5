"""The two suites: download their sdists from PyPI, unpack them, and add the fixtures that sdists leave out.

All test files of huggingface_hub run, although most of them do not use the Hub; tests that its authors marked
as about huggingface.co itself, xet or inference are skipped. Of datasets only tests with a Hub fixture run.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

#: Address of the suites' own Hub, which one test file hard-codes instead of using the constants.
_CI_ADDRESS = "https://hub-ci.huggingface.co"
_FIXTURES = Path(__file__).parent / "fixtures"
_CONSTANTS = """
import os as _os

ENDPOINT_STAGING = _os.environ["HF_ENDPOINT"]
TOKEN, USER = _os.environ["CONFORMANCE_TOKEN"], _os.environ["CONFORMANCE_USER"]
FULL_NAME = USER
"""


class ConformanceError(Exception):
    """A run cannot start or continue; the message is a sentence for the user."""


@dataclass(frozen=True)
class Suite:
    """The tests of one sdist.

    Args:
        name: name of the distribution on PyPI; the version is the installed one.
        fixtures: files of this package, mapped to their targets relative to the sdist's root.
        files: test files below ``tests/``; empty for all.
        left_out: test files that need the suite's repository, which is not in the sdist.
    """

    name: str
    fixtures: dict[str, str]
    files: Sequence[str] = ()
    left_out: Sequence[str] = ()

    @property
    def version(self) -> str:
        return version(self.name)


SUITES = (
    Suite(
        "huggingface_hub",
        {"huggingface_hub_conftest.py": "tests/conftest.py"},
        left_out=("test_generate_cli_reference.py",),
    ),
    Suite(
        "datasets",
        {
            "datasets_conftest.py": "tests/conftest.py",
            "datasets_hub.py": "tests/fixtures/hub.py",
            "datasets_utils.py": "tests/utils.py",
        },
        ("test_hub.py", "test_inspect.py", "test_load.py", "test_upstream_hub.py"),
    ),
)


def fetch(suite: Suite, folder: Path, endpoint: str, limit_s: float = 120) -> Path:
    """Download and unpack a suite's sdist into a folder; return its root, ready for pytest.

    Raises:
        ConformanceError: PyPI has no such sdist or does not answer in time, or the sdist has no tests.
    """
    words = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
    pip(sys.executable, [*words, "--dest", str(folder), f"{suite.name}=={suite.version}"], limit_s)
    packed = next(folder.glob(f"{suite.name}-{suite.version}.tar.gz"), None)
    if packed is None:
        raise ConformanceError(f"PyPI has no sdist of {suite.name} {suite.version}.")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    root = folder / packed.name.removesuffix(".tar.gz")
    if not (root / "tests").is_dir():
        raise ConformanceError(f"The sdist of {suite.name} {suite.version} has no tests.")
    _fit(suite, root, endpoint)
    return root


def pip(python: str | Path, words: Sequence[str], limit_s: float) -> None:
    """Run pip with an interpreter.

    Raises:
        ConformanceError: pip fails (the message has its last line) or takes too long.
    """
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        raise ConformanceError(f"pip {words[0]} did not end within {limit_s:.0f} seconds.") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ConformanceError(f"pip {words[0]} failed: {last}")


def _fit(suite: Suite, root: Path, endpoint: str) -> None:
    """Adapt unpacked tests: they become a package, import the installed library and use ``endpoint``."""
    shutil.rmtree(root / "src", ignore_errors=True)
    for kept_out in ("pyproject.toml", "setup.cfg", "setup.py"):
        (root / kept_out).unlink(missing_ok=True)
    for source, target in suite.fixtures.items():
        path = root / target
        path.parent.mkdir(exist_ok=True)
        (path.parent / "__init__.py").touch()
        shutil.copyfile(_FIXTURES / source, path)
    constants = root / "tests" / "testing_constants.py"
    if constants.exists():
        constants.write_text(constants.read_text() + _CONSTANTS)
    written_out = root / "tests" / "test_hf_api.py"
    if written_out.exists():
        written_out.write_text(written_out.read_text().replace(_CI_ADDRESS, endpoint))
