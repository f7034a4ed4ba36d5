"""Build and run a Dockerfile without a container engine: its own steps, in the root of a clean Debian.

Debian's Python stands in for that of the base image. What an engine would add is done by unshare and
chroot: a process sees the image's files alone, runs as the image's user, and may write to the volumes and
/tmp and nowhere else. The network is the machine's.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

#: Release of Debian whose Python is that of the base image.
DEBIAN = {"python:3.11-slim": "bookworm"}
#: Variables of this machine that say how the package registries are reached.
_REACHING = re.compile(
    r"(PIP_(CERT|INDEX_URL|EXTRA_INDEX_URL|DEFAULT_TIMEOUT)|SSL_CERT_FILE|HTTPS?_PROXY)", re.I
)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def missing() -> str:
    """Why images cannot be built here; empty: they can."""
    if os.geteuid() != 0:
        return "only root may make a clean root"
    for tool in ("mmdebstrap", "unshare", "chroot"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False)
    return "" if done.returncode == 0 else "this machine makes no namespaces"


@dataclass
class Image:
    """What a stage of the Dockerfile leaves.

    Attributes:
        root: its files.
        environment: of its processes.
        user: id that they run as.
        folder: where they start.
        command: words of CMD.
        health: words of the HEALTHCHECK.
    """

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: int = 0
    folder: str = "/"
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)

    def inside(self, command: list[str], *, read_only: bool = False, **changes: str) -> list[str]:
        """The words that run ``command`` in the image.

        Args:
            read_only: only volumes and /tmp can be written, as with ``docker run --read-only --tmpfs /tmp``.
            changes: further environment variables.
        """
        root = shlex.quote(str(self.root))
        steps = ["set -e", f"mount --rbind {root} {root}", f"mount -t proc proc {root}/proc"]
        steps.append(f"mount --rbind /dev {root}/dev")
        if read_only:
            steps += [f"mount -o remount,ro,bind {root}", f"mount -t tmpfs -o mode=1777 tmpfs {root}/tmp"]
            for volume in self.volumes:
                kept = f"{self.root}.volumes{volume}"
                steps.append(f"mount --bind {shlex.quote(kept)} {root}{volume}")
        words = {"PATH": PATH, "HOME": "/tmp"} | self.environment | changes
        started = ["env", "-i", *(f"{name}={value}" for name, value in words.items()), "sh", "-c"]
        started.append(f"cd {shlex.quote(self.folder)} && exec {shlex.join(command)}")
        user = f"--userspec={self.user}:{self.user}"
        steps.append(f"exec chroot {user} {root} {shlex.join(started)}")
        return [
            "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child=SIGKILL",
            "sh", "-c", "\n".join(steps),
        ]  # fmt: skip


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Each instruction and its words, with lines that go on joined."""
    text = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", dockerfile))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def build(context: Path, work: Path) -> Image:
    """The last stage of the Dockerfile in ``context``.

    Args:
        work: a folder that gets the roots of the stages.

    Raises:
        subprocess.CalledProcessError: a step failed; its output says why.
        ValueError: an instruction that is not known here.
    """
    stages: dict[str, Image] = {}
    image, arguments = Image(work), dict[str, str]()
    for word, rest in instructions((context / "Dockerfile").read_text()):
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            image, arguments = Image(work / (name or "last")), {}
            stages[name] = image
            _debian(DEBIAN[base], work / "debian", image.root)
        elif word == "ARG":
            name, _, value = rest.partition("=")
            arguments[name] = value
        elif word == "WORKDIR":
            image.folder = rest
            (image.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif word == "ENV":
            for one in shlex.split(rest):
                name, _, value = one.partition("=")
                image.environment[name] = value.replace("$PATH", PATH)
        elif word == "COPY":
            _copy(rest.split(), context, stages, image)
        elif word == "RUN":
            reaching = {name: value for name, value in os.environ.items() if _REACHING.fullmatch(name)}
            _call(image.inside(["sh", "-ec", rest], **arguments, **reaching))
        elif word == "USER":
            image.user = int(rest)
        elif word == "VOLUME":
            image.volumes.append(rest)
        elif word == "CMD":
            image.command = json.loads(rest)
        elif word == "HEALTHCHECK":
            image.health = json.loads(rest.partition("CMD ")[2])
        elif word not in ("EXPOSE", "STOPSIGNAL"):
            raise ValueError(f"{word} is not known here.")
    for volume in image.volumes:
        shutil.copytree(image.root / volume.lstrip("/"), f"{image.root}.volumes{volume}")
        os.chown(f"{image.root}.volumes{volume}", image.user, image.user)
    return image


def _debian(release: str, clean: Path, root: Path) -> None:
    if not clean.exists():
        packages = "--include=python3-venv,ca-certificates"
        _call(
            ["mmdebstrap", "--variant=minbase", packages, release, str(clean), "http://deb.debian.org/debian"]
        )
        (clean / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        for file in (_CERTIFICATES, Path("/etc/resolv.conf")):
            if file.exists():
                shutil.copyfile(file, clean / str(file).lstrip("/"))
        (clean / "etc/hosts").write_text("127.0.0.1 localhost\n")  # an engine writes one as well
    _call(["cp", "--archive", str(clean), str(root)])


def _copy(words: list[str], context: Path, stages: dict[str, Image], image: Image) -> None:
    *sources, target = words
    place = image.root / (target.lstrip("/") if target.startswith("/") else f"{image.folder[1:]}/{target}")
    origin = context
    if sources[0].startswith("--from="):
        origin = stages[sources.pop(0).partition("=")[2]].root
    for source in sources:
        path = origin / source.lstrip("/")
        if path.is_dir():
            ignored = _ignored(context) if origin == context else None
            shutil.copytree(path, place, symlinks=True, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy2(path, place)


def _ignored(context: Path) -> Callable[[str, list[str]], set[str]]:
    patterns = (context / ".dockerignore").read_text().split()

    def of(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(context)

        def hit(name: str) -> Iterator[bool]:
            for pattern in patterns:
                yield fnmatch.fnmatch(str(inside / name), pattern)
                yield pattern.startswith("**/") and fnmatch.fnmatch(name, pattern[3:])

        return {name for name in names if any(hit(name))}

    return of


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
