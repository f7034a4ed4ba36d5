"""Update the translation catalogues of the pages: ``python -m docs.messages``, or ``make messages``.

It extracts the sentences from templates, scripts and Python files, adds new ones without a translation, and
drops those that no page shows any more. ``tests/i18n/`` fails while a translation is missing.
"""

from __future__ import annotations

import ast
import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po
from jinja2.ext import extract_from_ast

from smartbreed.core import errors
from smartbreed.i18n import ENGLISH, LANGUAGES
from smartbreed.i18n.sentences import ERROR, LOCALES, REPORTED, SCRIPT, catalogue
from smartbreed.i18n.things import PLURAL_TWINS, TWINS
from smartbreed.web.components.templates import environment

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "smartbreed"
#: Functions of `smartbreed.i18n`, each with the number of its leading arguments that are sentences.
_FUNCTIONS = {"gettext": 1, "mark": 1, "ngettext": 2}
#: Where errors that pages show are raised; errors for programs and for the log stay English.
_SHOWN = (
    "accounts",
    "admin",
    "contact",
    "core/fair_lock.py",
    "feedback",
    "imaging",
    "inference/deep_explanations.py",
    "inference/results.py",
    "quiz",
    "registry/live.py",
    "review",
    "services.py",
    "teach",
    "throttle",
    "training_jobs",
    "web/components",
    "web/pages",
)
#: Errors among these that only programs or operators of the site can encounter; they stay English too.
_FOR_PROGRAMS = re.compile(
    r"Received: |SMARTBREED_|base64|data URL|^Pixels must|^The array|token that stands|blob|^A box"
    r"|^The stored| path\b|^A missed pet is not"
)
#: Files with the English questions and summaries of the quiz, and the pattern of a sentence in them.
_QUESTIONS = ("smartbreed/quiz/questions.py", "smartbreed/quiz/quiz.py")
_QUESTION = re.compile(r"^[A-Z%].* .*[.?]$| longest streak %|^(Little|A moderate amount|A lot)$")
#: Files that report the progress and result of a retraining, and the pattern of texts that are not sentences.
_REPORTING = (
    "smartbreed/training_jobs/job.py",
    "training/continual/full.py",
    "training/continual/gate.py",
    "training/continual/loss_checks.py",
    "training/continual/plan.py",
    "training/continual/run.py",
)
_NOT_REPORTED = re.compile(
    r"^[a-z_. ]*[=:{]|^The retraining could not start$|^new (breed|label), $"
    r"|^(accepted samples|held out|new since the parent)$|^%\(label\)s: %"
)
#: A leading sentence that is only a placeholder; it is cut off, as sentences are translated one by one.
_BEFORE = re.compile(r"^%\(\w+\)s\.? (?=[A-Z])")
_ERRORS = {name for name in vars(errors) if name.endswith("Error")}
_SCRIPT_CALL = re.compile(r'\b(?:say|smartbreedSay)\(\s*"((?:[^"\\]|\\.)+)"')
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class Sentence:
    """A sentence in the code that can be translated.

    Attributes:
        text: English text, or singular and plural.
        file: path relative to the repository.
        kind: `SCRIPT`, `ERROR`, `REPORTED` or empty.
    """

    text: str | tuple[str, str]
    file: str
    kind: str = ""


def sentences() -> Iterator[Sentence]:
    """Yield every sentence that can be translated, file by file."""
    yield from _of_templates()
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.parent.name != "i18n":
            yield from _of_python(path)
    for name in _REPORTING:
        yield from _reported(ROOT / name)
    for path in sorted((PACKAGE / "web" / "static").glob("*.js")):
        for found in _SCRIPT_CALL.finditer(path.read_text(encoding="utf-8")):
            yield Sentence(ast.literal_eval(f'"{found[1]}"'), _name(path), SCRIPT)
    yield from _of_data()


def placeholders(text: str) -> list[str]:
    """Return the sorted names of the placeholders in a sentence."""
    return sorted(_PLACEHOLDER.findall(text))


def updated(code: str) -> Catalog:
    """Return the catalogue of a language with the current sentences and its existing translations."""
    known = catalogue(code)
    fixed = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)  # a current date would change the file each time
    fresh = Catalog(
        locale=code, project="SmartBreed", version="1", creation_date=fixed, revision_date=fixed,
        fuzzy=False, header_comment=f"# {LANGUAGES[code]} sentences of SmartBreed's pages.",
    )  # fmt: skip
    for one in sentences():
        key = one.text if isinstance(one.text, str) else one.text[0]
        said = known.get(key)
        kept = said is not None and isinstance(said.id, str) == isinstance(one.text, str)
        empty = "" if isinstance(one.text, str) else ("",) * fresh.num_plurals
        comments = [one.kind] if one.kind else []
        string = said.string if said is not None and kept else empty
        fresh.add(one.text, string, locations=[(one.file, 1)], auto_comments=comments)
    return fresh


def write() -> None:
    """Write every catalogue and print how many translations it lacks."""
    for code in LANGUAGES:
        if code == ENGLISH:
            continue
        fresh = updated(code)
        with (LOCALES / code / "LC_MESSAGES" / "messages.po").open("wb") as file:
            write_po(file, fresh, width=116, include_lineno=False, ignore_obsolete=True)
        missing = [one for one in fresh if one.id and not any(_strings(one.string))]
        print(f"{code}: {len(fresh)} sentences, {len(missing)} without a translation")


def _strings(string: str | Iterable[str] | None) -> tuple[str, ...]:
    return (string,) if isinstance(string, str) else tuple(string or ())


def _of_templates() -> Iterator[Sentence]:
    for path in sorted((PACKAGE / "web" / "templates").rglob("*.html")):
        tree = environment().parse(path.read_text(encoding="utf-8"))
        for _, _, found in extract_from_ast(tree, ("gettext", "ngettext", "_")):
            if isinstance(found, str):
                yield Sentence(found, _name(path))
            elif isinstance(found, tuple):
                texts = [text for text in found if text]
                yield Sentence((texts[0], texts[1]) if len(texts) > 1 else texts[0], _name(path))


def _of_python(path: Path) -> Iterator[Sentence]:
    name = _name(path)
    shown = name.removeprefix("smartbreed/").startswith(_SHOWN)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if name in _QUESTIONS and isinstance(node, ast.Call | ast.List | ast.Dict | ast.Return | ast.Assign):
            for child in ast.iter_child_nodes(node):
                yield from (Sentence(text, name, ERROR) for text in _texts(child) if _QUESTION.search(text))
        if not isinstance(node, ast.Call):
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if called in _FUNCTIONS:
            texts = [text for argument in node.args[: _FUNCTIONS[called]] for text in _texts(argument)]
            if called == "ngettext":
                yield Sentence((texts[0], texts[1]), name)
            else:
                yield from (Sentence(text, name) for text in texts)
        elif called in _ERRORS and shown:
            for argument in node.args:
                yield from (Sentence(text, name, ERROR) for text in _texts(argument) if _for_people(text))


def _texts(node: ast.AST) -> Iterator[str]:
    """Yield the sentences that an expression can evaluate to, with placeholders for values of an f-string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.JoinedStr):
        parts: list[str] = []
        used: set[str] = set()
        for part in node.values:
            if isinstance(part, ast.Constant):
                parts.append(str(part.value).replace("%", "%%"))
            else:
                names = re.findall(r"[a-z]\w*", ast.unparse(getattr(part, "value", part))) or ["value"]
                name = next((one for one in reversed(names) if one not in used), f"value{len(used)}")
                used.add(name)
                parts.append(f"%({name})s")
        yield "".join(parts)


def _reported(path: Path) -> Iterator[Sentence]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    inner |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    found = {
        _BEFORE.sub("", text)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr | ast.Constant)
        and (node not in inner or isinstance(node, ast.JoinedStr))
        for text in _texts(node)
        if re.search(r"[a-z]{2} |[a-z]$|\): ", text) and " " in text and not _NOT_REPORTED.search(text)
    }
    yield from (Sentence(text, _name(path), REPORTED) for text in sorted(found))


def _for_people(text: str) -> bool:
    return " " in text and not _FOR_PROGRAMS.search(text)


def _of_data() -> Iterator[Sentence]:
    """Yield sentences from tables of other packages that pages show."""
    from smartbreed.admin.audit import ACTIONS
    from smartbreed.admin.switches import CAPS, FEATURES
    from smartbreed.breeds.catalogue import GROUPS
    from smartbreed.breeds.facts import CoatLength, Level, Size
    from smartbreed.gallery.gallery import ALIKE
    from smartbreed.imaging.decoding import PHRASES
    from smartbreed.statistics.usage import INTERFACES, MANY
    from smartbreed.training_jobs.progress import STAGES

    for group in GROUPS.values():
        for text in (group.name, group.phrase, group.unclear):
            yield Sentence(text, "smartbreed/breeds/catalogue.py")
    levels = [text.capitalize() for kind in (Size, CoatLength, Level) for text in get_args(kind)]
    coats = [f"{text.capitalize()} coat" for text in get_args(CoatLength) if text != "hairless"]
    for text in (*levels, *coats, "wild species"):
        yield Sentence(text, "smartbreed/breeds/facts.py")
    for text in ("test pictures", "test pictures of %(data)s"):
        yield Sentence(text, "smartbreed/inference/evaluation.py", ERROR)
    for text in PHRASES:
        yield Sentence(text, "smartbreed/imaging/decoding.py", ERROR)
    for _, text in ALIKE:
        yield Sentence(text, "smartbreed/gallery/gallery.py")
    for text in (
        "none",
        f"{MANY} or more",
        "a breed",
        "a family of breeds",
        "neither",
        "dogs",
        "cats",
        "others",
    ):
        yield Sentence(text, "smartbreed/statistics/report.py")
    for text in INTERFACES.values():
        yield Sentence(text, "smartbreed/statistics/usage.py")
    for twin in TWINS.values():
        yield Sentence(twin, "smartbreed/i18n/things.py")
    for twins in PLURAL_TWINS.values():
        yield Sentence(twins, "smartbreed/i18n/things.py")
    for feature in FEATURES.values():
        for text in (feature.name, feature.closed):
            yield Sentence(text, "smartbreed/admin/switches.py")
    for text in CAPS.values():
        yield Sentence(text, "smartbreed/admin/switches.py")
    for text in ACTIONS.values():
        yield Sentence(text, "smartbreed/admin/audit.py")
    for text in STAGES.values():
        yield Sentence(text, "smartbreed/training_jobs/progress.py")
    for text in ("breed", "breed group", "label", "label group"):
        yield Sentence(text, "training/continual/loss_checks.py", REPORTED)
    for text in ("Accuracy per version", "Breed groups", "Before and after"):
        yield Sentence(text, "training/continual/plots.py")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


if __name__ == "__main__":
    write()
