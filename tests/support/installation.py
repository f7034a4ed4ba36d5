"""A home, and the real commands on it, each in a process of its own."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from smartbreed.core.settings import load_settings
from smartbreed.inference.results import Identification
from smartbreed.services import Services
from support.processes import environment, run


class Installation:
    """A home, and the commands on it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        # With a folder for temporary files of its own, so that this is searched as well.
        self.tmp = home.parent / "tmp"
        self.tmp.mkdir()
        self.environment = environment(
            home.parent, SMARTBREED_HUB="embedded", SMARTBREED_AGREEMENTS="0", TMPDIR=str(self.tmp)
        )

    def run(self, *arguments: str) -> str:
        done = run("-m", "smartbreed", *arguments, env=self.environment)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def stored(self, sample: str) -> bytes:
        """The photo of a flag as it is kept."""
        return (self.home / "blobs" / sample[:2] / sample[2:4] / sample).read_bytes()

    def flag(
        self, files: list[Path], members: list[str] | None = None
    ) -> list[tuple[str, str, list[Image.Image]]]:
        """Flag each photo as a visitor does: flag id, sample id, and the pet cut out.

        Args:
            members: id of the member who flags each photo; empty: a visitor. None: visitors all.
        """
        services = Services(load_settings(home=self.home, hub="embedded"))
        made = []
        for number, file in enumerate(files):
            photo = services.read(file)
            answer = services.identifier.identify(photo)
            assert isinstance(answer, Identification)
            receipt = services.flag(
                photo, answer, number=1, verdict="wrong", label="keeshond", consent=True,
                flagger=f"visitor {number}", member=members[number] if members else "",
            )  # fmt: skip
            pet = Image.fromarray(photo.pixels).crop(tuple(round(v) for v in answer.pets[0].box))
            made.append((receipt.flag_id, receipt.sample_id, [pet]))
        services.flags.close()
        return made
