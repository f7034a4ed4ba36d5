"""What ``make audit`` makes of pip-audit's answers, and what the SBOM holds."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from support.processes import ROOT

NAMED = {"id": "PYSEC-2026-7", "aliases": ["CVE-2026-1", "GHSA-a"], "fix_versions": ["2.1"]}


def package(name: str, *known: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": "2.0", "vulns": list(known)}


def skipped(name: str) -> dict[str, Any]:
    return {"name": name, "skip_reason": f"Dependency not found on PyPI and could not be audited: {name}"}


def audit(folder: Path, stdout: str, stderr: str = "", allowed: str = "") -> tuple[int, str]:
    """Exit status and words, when pip-audit says that."""
    tool, file = folder / "tool.py", folder / "allowed.toml"
    tool.write_text(f"import sys\nprint({stdout!r})\nprint({stderr!r}, file=sys.stderr)\nsys.exit(1)\n")
    file.write_text(allowed)
    command = [sys.executable, str(ROOT / ".ci" / "audit.py"), "--tool", f"{sys.executable} {tool}"]
    done = subprocess.run([*command, "--allowed", str(file)], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def report(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": list(packages), "fixes": []})


def test_what_is_known_fails(tmp_path: Path) -> None:
    status, said = audit(tmp_path, report(package("gradio"), package("pillow", NAMED)))
    assert status == 1
    assert "pillow 2.0: PYSEC-2026-7 CVE-2026-1 GHSA-a; mended in 2.1" in said


def test_nothing_known_passes(tmp_path: Path) -> None:
    status, said = audit(tmp_path, report(package("gradio"), package("pillow")))
    assert (status, said.strip()) == (0, "2 packages asked for: nothing else is known")


@pytest.mark.parametrize("name", ["PYSEC-2026-7", "CVE-2026-1", "GHSA-a"])
def test_an_allowed_one_passes_with_its_reason_by_any_of_its_ids(tmp_path: Path, name: str) -> None:
    reason = "the function is not called here"
    allowed = f'[[allowed]]\nid = "{name}"\nreason = "{reason}"\n'
    status, said = audit(tmp_path, report(package("pillow", NAMED)), allowed=allowed)
    assert status == 0
    assert reason in said
    status, said = audit(
        tmp_path, report(package("pillow", {**NAMED, "id": "X", "aliases": []})), "", allowed
    )
    assert status == 1, "another one of the same package"
    assert f"unused   {name}" in said


def test_an_entry_needs_a_reason(tmp_path: Path) -> None:
    status, said = audit(tmp_path, report(package("pillow", NAMED)), allowed='[[allowed]]\nid = "GHSA-a"\n')
    assert status == 2
    assert "needs an id and a reason" in said


@pytest.mark.parametrize(
    ("stdout", "stderr"),
    [
        (report(skipped("gradio"), skipped("pillow")), "No known vulnerabilities found"),
        ("", "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed"),
        (
            "",
            "Traceback …\nrequests.exceptions.ProxyError: HTTPSConnectionPool(host='pypi.org'): Max retries",
        ),
    ],
)
def test_without_an_answer_it_says_so_and_passes(tmp_path: Path, stdout: str, stderr: str) -> None:
    status, said = audit(tmp_path, stdout, stderr)
    assert status == 0
    assert said.startswith("could not ask")
    assert "nothing else is known" not in said


def test_packages_that_were_not_answered_for_are_counted(tmp_path: Path) -> None:
    status, said = audit(tmp_path, report(skipped("gradio"), package("pillow")))
    assert status == 0
    assert "could not ask for vulnerabilities of 1 packages" in said


def test_a_tool_that_does_not_work_is_no_pass(tmp_path: Path) -> None:
    status, said = audit(tmp_path, "", "error: unrecognized arguments: --disable-pip")
    assert status == 2
    assert "unrecognized arguments" in said


def test_the_sbom_has_every_pin(tmp_path: Path) -> None:
    if find_spec("cyclonedx_py") is None:
        pytest.skip("cyclonedx-bom is not installed: make test installs it")
    out = tmp_path / "sbom.json"
    subprocess.run(["make", "-o", ".venv/.installed-dev", "sbom", f"SBOM={out}"], cwd=ROOT, check=True)
    bom = json.loads(out.read_text())
    assert (bom["bomFormat"], bom["metadata"]["component"]["name"]) == ("CycloneDX", "smartbreed")
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {line.partition("==")[0].lower() for line in lines if "==" in line}
    assert {part["name"].lower() for part in bom["components"]} == pins
    assert all(part["purl"].startswith("pkg:pypi/") for part in bom["components"])
