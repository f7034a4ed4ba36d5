"""Which files a folder of pictures holds, and how that differs from what a run was prepared from."""

from __future__ import annotations

from pathlib import Path


def listing(source: str) -> dict[str, int]:
    """Size in bytes of every file of a folder, by its path within; empty where the source is no folder."""
    folder = Path(source).expanduser()
    if not folder.is_dir():
        return {}
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def difference(before: dict[str, int], now: dict[str, int]) -> str:
    """ "2 files added, 1 changed"; empty where nothing differs."""
    counts = {
        "added": len(now.keys() - before.keys()),
        "removed": len(before.keys() - now.keys()),
        "changed": sum(before[name] != now[name] for name in before.keys() & now.keys()),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)
