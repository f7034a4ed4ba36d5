"""Check the pinned packages for known vulnerabilities: ``python .ci/audit.py``, or ``make audit``.

It asks PyPI through pip-audit about each line of ``constraints.txt``, and fails on a vulnerability that
``.ci/audit-allowed.toml`` does not list with a reason. Without an answer (no network, or a mirror without
PyPI's JSON) it prints "could not ask" and passes, so that this never looks like "nothing is known".
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
#: Time limit in seconds for all packages together; PyPI usually takes twenty.
_PATIENCE_S = 600
#: Parts of pip-audit's last line on stderr that show that it got no answer.
_NO_ANSWER = (
    "connect",
    "timed out",
    "timeout",
    "resolve",
    "max retries",
    "proxy",
    "certificate",
)
_COULD_NOT = "could not ask for vulnerabilities"


class CouldNotAsk(Exception):
    """No answer about vulnerabilities came; the message says why."""


def ask(tool: list[str], constraints: Path) -> dict[str, Any]:
    """Run pip-audit and return its report.

    Raises:
        CouldNotAsk: pip-audit got no answer.
        ValueError: pip-audit failed; the message has the last line of its output.
    """
    command = [*tool, "-r", str(constraints), "--no-deps", "--disable-pip", "--progress-spinner", "off"]
    try:
        done = subprocess.run(
            [*command, "--format", "json"], capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise CouldNotAsk(f"no answer within {_PATIENCE_S} s") from None
    try:
        report: dict[str, Any] = json.loads(done.stdout)
        assert isinstance(report["dependencies"], list)
        return report
    except (ValueError, KeyError, TypeError, AssertionError):
        lines = done.stderr.strip().splitlines()
        last = lines[-1] if lines else f"it ended with {done.returncode} and said nothing"
        if any(sign in last.lower() for sign in _NO_ANSWER):
            raise CouldNotAsk(last) from None
        raise ValueError(f"pip-audit did not work: {last}") from None


def allowed_in(file: Path) -> dict[str, str]:
    """Read the reason for each allowed vulnerability, by its id.

    Raises:
        ValueError: an entry lacks its id or reason.
    """
    entries = tomllib.loads(file.read_text()).get("allowed", []) if file.exists() else []
    reasons = {str(entry.get("id", "")): str(entry.get("reason", "")).strip() for entry in entries}
    for name, reason in reasons.items():
        if not name or not reason:
            raise ValueError(f"{file.name}: each entry needs an id and a reason. Received: {name!r}")
    return reasons


def judge(report: dict[str, Any], allowed: dict[str, str]) -> tuple[bool, list[str]]:
    """Decide whether the pinned packages pass, and return the lines to print.

    Raises:
        CouldNotAsk: there was no answer about any package.
    """
    packages: list[dict[str, Any]] = report["dependencies"]
    asked = [package for package in packages if "skip_reason" not in package]
    if not asked:
        raise CouldNotAsk(packages[0]["skip_reason"] if packages else "there are no packages")
    lines, passes, used = [], True, set()
    for package in asked:
        for known in package.get("vulns", []):
            ids = [known["id"], *known.get("aliases", [])]
            name = f"{package['name']} {package['version']}: {' '.join(ids)}"
            if found := [one for one in ids if one in allowed]:
                used.update(found)
                lines.append(f"allowed  {name}: {allowed[found[0]]}")
            else:
                passes = False
                mended = ", ".join(known.get("fix_versions", [])) or "no version yet"
                lines.append(f"KNOWN    {name}; mended in {mended}")
    lines += [f"unused   {one}: take it out of the list" for one in allowed if one not in used]
    if len(asked) < len(packages):
        lines.append(f"{_COULD_NOT} of {len(packages) - len(asked)} packages")
    lines.append(f"{len(asked)} packages asked for: {'nothing else is known' if passes else 'see above'}")
    return passes, lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--constraints", type=Path, default=ROOT / "constraints.txt")
    parser.add_argument("--allowed", type=Path, default=ROOT / ".ci" / "audit-allowed.toml")
    parser.add_argument("--tool", default=f"{sys.executable} -m pip_audit", help="what runs pip-audit")
    given = parser.parse_args()
    try:
        allowed = allowed_in(given.allowed)
        passes, lines = judge(ask(shlex.split(given.tool), given.constraints), allowed)
    except CouldNotAsk as why:
        print(f"{_COULD_NOT}: {why}")
        return 0
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0 if passes else 1


if __name__ == "__main__":
    sys.exit(main())
