"""Members of a home of its own, with a clock, and a box in which their mails land."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from smartbreed.accounts.kept_photos import KeptPhotos
from smartbreed.accounts.mail import Kind, Mail
from smartbreed.accounts.members import COOKIE, Members, SignedIn
from smartbreed.accounts.roster import Roster
from smartbreed.core.settings import Settings, load_settings
from smartbreed.feedback.flags import FlagService, open_feedback
from smartbreed.teach.store import ModelStore
from support.clock import Clock

EMAIL, PASSWORD = "rosa.valentin@example.org", "my two cats sing"


@dataclass
class Letter:
    kind: Kind
    who: str
    address: str
    link: str

    @property
    def token(self) -> str:
        return re.findall(r"token=(\S+)", self.link)[0]


class Letters(Mail):
    """Keeps what would be sent."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.sent: list[Letter] = []

    def send(self, kind: Kind, who: str, address: str, link: str, hours: int) -> None:
        self.sent.append(Letter(kind, who, address, link))


@dataclass
class MembersWorld:
    home: Path
    clock: Clock = field(default_factory=Clock)
    database_url: str = ""

    def __post_init__(self) -> None:
        self.settings = load_settings(
            home=self.home, salt="a salt", hub="embedded", database_url=self.database_url
        )
        self.flags: FlagService = open_feedback(self.settings)
        self.kept = KeptPhotos(self.flags.sessions, self.home)
        self.taught = ModelStore(self.flags.sessions, self.settings)
        self.letters = Letters(self.settings)
        self.members = self.another()
        self.roster = Roster(lambda: self.flags.sessions, self.members.password_link, self.clock.seconds)

    def another(self, **settings: str) -> Members:
        """The members of another process on the same home."""
        wanted = load_settings(home=self.home, salt="a salt", **settings)
        return Members(
            wanted, lambda: self.flags.sessions, self.clock.seconds, self.clock.forward, self.letters
        )

    def letter(self) -> Letter:
        """The latest."""
        self.members.settle()
        return self.letters.sent[-1]

    def joined(self, email: str = EMAIL, password: str = PASSWORD, name: str = "Rosa") -> str:
        """A member, signed in: the value of the cookie."""
        self.members.sign_up(email, password, name, "1.2.3.4", "browser")
        return self.members.verify(self.letter().token, "browser", "1.2.3.4")

    def who(self, cookie: str) -> SignedIn | None:
        return self.members.of({"cookie": f"{COOKIE}={cookie}"})
