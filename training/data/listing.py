"""List the files of a folder of pictures, and compare the list with the one a run was prepared from."""

from __future__ import annotations

from smartbreed.core.files import expanded


def listing(source: str) -> dict[str, int]:
    """Return the size in bytes of every file in a folder by relative path; empty if it is not a folder."""
    folder = expanded(source)
    if not folder.is_dir():
        return {}
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def difference(before: dict[str, int], now: dict[str, int]) -> str:
    """Describe the difference, such as ``2 added, 1 changed``; empty if there is none."""
    counts = {
        "added": len(now.keys() - before.keys()),
        "removed": len(before.keys() - now.keys()),
        "changed": sum(before[name] != now[name] for name in before.keys() & now.keys()),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)
