"""Code, docs and pages use the field's words (docs/glossary.md), not a dialect of their own."""

from __future__ import annotations

import re

from support.processes import ROOT

#: Each has a standard term in its place; none has another meaning here. Parts of names count too.
WORDS = re.compile(
    r"(?<![a-z])(teller|last[_ ]words|suspicion|novelty|rulings?|sealing|ledgers?|inventory|upkeep"
    r"|housekeeping|leases?|knowledge|strangers?|stir|second[_ ]looks?|circles?|lessons?|doors?|rooms"
    r"|houses?|way round|somebody|nobody|whoever|no one(?! label)|told)(?![a-z])",
    re.IGNORECASE,
)
#: Lines where the word is an interface: a column, a key, a folder of SMARTBREED_HOME, an element of SVG.
INTERFACES = re.compile(
    r'<circle |== "circle"|"circle"\)|"upkeep["/]'
    r"|\b(suspicion|novelty)(: Mapped|=)|row\.suspicion|found\.(suspicion|novelty)"
    r"|MFD_ALLOW_SEALING"
    r'|"(suspicion|novelty)": 0|metrics\.strangers|"strangers["\.]|strangers=others|"?stranger_scales'
)
#: The card of the released bundle, which changes with the next one, and names that stay.
GENERATED = (
    "card_template.md",
    "model_card.md",
    "CHANGELOG.md",
    "assets/README.md",
    "breeds/texts/",  # about dogs and cats, not about the program
    "migrations/versions/",
    "home/make_home.py",
    "test_words.py",
    "offline/vendor/",  # fetched, and not ours
)
PLACES = ("smartbreed", "localhub", "training", "tests", "benchmarks", "examples", "docs")


def test_no_private_words() -> None:
    files = [*ROOT.glob("*.md"), ROOT / "app.py"]
    for place in PLACES:
        files += [
            path for path in (ROOT / place).rglob("*")
            if path.suffix in (".py", ".md", ".html", ".css", ".js", ".yaml")
        ]  # fmt: skip
    assert len(files) > 400
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        if not any(part in path.as_posix() for part in GENERATED)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if WORDS.search(line) and not INTERFACES.search(line)
    ]
    assert found == []
