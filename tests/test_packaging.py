"""What is installed: serving without tensorflow, pins within the ranges, a wheel that works by itself."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.processes import ROOT, Server, environment

from smartbreed.core.extras import EXTRAS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: Come with others that are declared, in the version those need.
BROUGHT_ALONG = {"gradio-client"}
#: Imported only if they are there.
TRACKERS = {"mlflow", "trackio"}


def named(lines: list[str]) -> dict[str, Requirement]:
    found = (Requirement(line) for line in lines)
    return {canonicalize_name(one.name): one for one in found}


def pins(file: str) -> dict[str, Requirement]:
    lines = (ROOT / file).read_text().splitlines()
    return named([line for line in lines if line and line[0] not in "#-"])


SERVING = named(PROJECT["dependencies"])
OPTIONAL = {extra: named(lines) for extra, lines in PROJECT["optional-dependencies"].items()}


def imported(folder: str) -> Iterator[tuple[Path, str]]:
    """Each file of a package with each module from elsewhere that it imports."""
    ours = {"smartbreed", "localhub", "training"} | sys.stdlib_module_names
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            for name in {name.split(".")[0] for name in names} - ours:
                yield path, name


@pytest.mark.parametrize(
    ("folder", "extras"),
    [("smartbreed", ("gallery", "otel", "ray")), ("localhub", ()), ("training", ("explain", "train"))],
)
def test_every_import_is_declared(folder: str, extras: tuple[str, ...]) -> None:
    known = packages_distributions()
    allowed = set(SERVING).union(BROUGHT_ALONG, *(OPTIONAL[extra] for extra in extras))
    for path, module in imported(folder):
        if module not in TRACKERS:
            brings = known.get(module, [module])  # ray need not be installed
            assert allowed & {canonicalize_name(name) for name in brings}, f"{path}: {module}"


def test_an_extra_says_what_it_lacks() -> None:
    for extra, packages in EXTRAS.items():
        weights = {name for name in OPTIONAL[extra] if name.endswith("-pytorch-model")}
        assert set(packages) == set(OPTIONAL[extra]) - weights, extra


def test_pins_are_within_the_ranges() -> None:
    pinned = pins("requirements.txt")
    ranges = SERVING | OPTIONAL["explain"] | OPTIONAL["train"]
    assert set(pinned) == set(ranges)
    for name, one in pinned.items():
        [pin] = one.specifier
        assert pin.operator == "=="
        assert ranges[name].specifier.contains(pin.version), one


def test_constraints_repeat_the_pins() -> None:
    constraints = pins("constraints.txt")
    for name, one in (pins("requirements.txt") | pins("requirements-dev.txt")).items():
        assert constraints[name].specifier == one.specifier, f"{one}: run make lock"


@pytest.fixture(scope="module")
def empty_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and what it asks for, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = [sys.executable, "-m", "uv"]

    def run(*command: str | Path) -> None:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder)
    run(*uv, "venv", "--quiet", "--python", sys.executable, folder / "venv")
    python = folder / "venv/bin/python"
    [wheel] = folder.glob("*.whl")
    run(*uv, "pip", "install", "--quiet", "--python", python, "--constraint", "constraints.txt", wheel)
    return folder


@pytest.mark.slow
def test_a_wheel_works_in_an_empty_environment(empty_environment: Path, photo: Path, tmp_path: Path) -> None:
    bin_, elsewhere = empty_environment / "venv/bin", environment(tmp_path, PYTHONPATH="")

    def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [bin_ / command[0], *command[1:]], cwd=tmp_path, env=elsewhere, capture_output=True, text=True
        )

    answer = run("smartbreed", "identify", photo, "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["pets"]
    code = f"import smartbreed; print(smartbreed.load().identify({str(photo)!r}).pet(1).species)"
    assert run("python", "-c", code).stdout.strip() in ("cat", "dog")
    absent = run("python", "-c", "import tensorflow")
    assert "ModuleNotFoundError" in absent.stderr
    for command in (
        ("smartbreed", "retrain"),
        ("python", "-m", "training.train", "image_folder"),
        ("python", "-m", "training.retrain", "--no-publish"),
    ):
        refused = run(*command)
        assert refused.returncode
        assert "run `pip install 'smartbreed[train]'`." in refused.stdout + refused.stderr
        assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_the_wheels_server_serves(empty_environment: Path, photo: Path, tmp_path: Path) -> None:
    command = [str(empty_environment / "venv/bin/smartbreed"), "serve"]
    with Server(tmp_path, command=command, PYTHONPATH="") as server:
        for page in ("", "tour", "review", "train", "api/docs", "api/health"):
            with urllib.request.urlopen(server.url + page) as response:
                assert response.status == 200
        request = urllib.request.Request(
            f"{server.url}api/identify", photo.read_bytes(), {"Content-Type": "image/jpeg"}
        )
        with urllib.request.urlopen(request) as response:
            assert json.load(response)["pets"]
        if Path("/proc").is_dir():
            maps = Path(f"/proc/{server.process.pid}/maps").read_text()
            assert "tensorflow" not in maps
