"""``smartbreed doctor``: find out what is wrong with this installation, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from smartbreed.cli.common import SOME_FAILED, JsonOption, ends_well


def doctor(as_json: JsonOption = False) -> None:
    """Check settings, disk, database, model, Hub, mail, secrets and proxies. The exit status is 1 if a check
    failed.
    """
    with ends_well():
        from smartbreed.core.native import native_silence
        from smartbreed.doctor import examine

        with native_silence():
            findings = examine()
        if as_json:
            print(json.dumps({"findings": [asdict(one) for one in findings]}, ensure_ascii=False))
        else:
            width = max(len(one.part) for one in findings)
            for one in findings:
                print(f"{one.state:<7} {one.part:<{width}}  {one.said}")
                if one.do:
                    print(f"{'':<{width + 8}}  → {one.do}")
        if any(one.state == "failed" for one in findings):
            raise typer.Exit(SOME_FAILED)
