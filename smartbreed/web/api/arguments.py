"""Validate what a caller sends beside the photo, with the same messages at every interface.

Callers are programs in any language, so a value may have any JSON type. Each check
takes anything, and returns a valid value or raises. `IdentifyArguments` and
`FlagArguments` use the checks as field validators, for queries, bodies, MCP and Gradio.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from smartbreed.core.errors import RequestError
from smartbreed.feedback.tables import VERDICTS

#: Most breeds that a caller may ask for. More than the model knows gives all of them.
MAX_TOP_K = 1_000

_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off", ""}


def check_top_k(value: Any) -> int | None:
    """Check how many breeds to list; None keeps the default.

    Raises:
        RequestError: ``bad_top_k``.
    """
    if value is None or value == "":
        return None
    number = _number(value)
    if number is None or number != int(number) or not 1 <= number <= MAX_TOP_K:
        raise RequestError(
            "bad_top_k", f"top_k is a whole number from 1 to {MAX_TOP_K}. Received: {_shown(value)}"
        )
    return int(number)


def check_score(value: Any) -> float | None:
    """Check the smallest detector score; None keeps the model's own.

    Raises:
        RequestError: ``bad_score``.
    """
    if value is None or value == "":
        return None
    number = _number(value)
    if number is None or not 0 <= number <= 1:
        raise RequestError("bad_score", f"score is a number from 0 to 1. Received: {_shown(value)}")
    return number


def check_flag(value: Any, name: str) -> bool:
    """Check a yes or no. Text, such as a query parameter, is accepted too; None is no.

    Raises:
        RequestError: ``bad_`` and the name.
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    text = str(value).strip().lower() if isinstance(value, (str, int)) else None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise RequestError(f"bad_{name}", f"{name} is true or false. Received: {_shown(value)}")


def check_pet(value: Any) -> int | None:
    """Check the number of a pet, counted from 1; None is the photo as a whole.

    Raises:
        RequestError: ``bad_pet``.
    """
    if value is None or value == "":
        return None
    number = _number(value)
    if number is None or number != int(number):
        raise RequestError(
            "bad_pet", f"pet is a whole number: 1 for the first pet of the answer. Received: {_shown(value)}"
        )
    return int(number)


def check_box(value: Any) -> tuple[float, float, float, float] | None:
    """Check a box: the corners in pixels as a list, or text such as ``10,20,110,220``; None if there is none.

    Whether it fits the photo is checked later, with the photo.

    Raises:
        RequestError: ``bad_box``.
    """
    if value is None or value == "" or value == []:
        return None
    sides = value.split(",") if isinstance(value, str) else value
    four = isinstance(sides, (list, tuple)) and len(sides) == 4
    x0, y0, x1, y1 = [_number(side) for side in sides] if four else [None] * 4
    if x0 is None or y0 is None or x1 is None or y1 is None:
        raise RequestError(
            "bad_box",
            f"box is four numbers x0, y0, x1, y1 in pixels of the upright photo. Received: {_shown(value)}",
        )
    return x0, y0, x1, y1


def check_text(value: Any, name: str) -> str:
    """Check a text; None becomes the empty text.

    Raises:
        RequestError: ``bad_`` and the name.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RequestError(f"bad_{name}", f"{name} is text. Received: {_shown(value)}")
    return value


def check_photos(value: Any, most: int) -> list[Any]:
    """Check a list of photos; each may have any form.

    Raises:
        RequestError: ``bad_photos``, ``too_many_photos``.
    """
    if not isinstance(value, list):
        raise RequestError("bad_photos", f"photos is a list, each entry one photo. Received: {_shown(value)}")
    if len(value) > most:
        raise RequestError("too_many_photos", f"At most {most} photos at once. Received: {len(value)}.")
    return value


def _number(value: Any) -> float | None:
    """Return ``value`` as a finite number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 1e300 else None  # false for NaN, too


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _named(check: Any) -> BeforeValidator:
    return BeforeValidator(lambda value, info: check(value, info.field_name))


# The type is that of the checked value; the schema says what a caller may send.
_Yes = Annotated[bool, _named(check_flag)]
_Text = Annotated[str, _named(check_text)]
_TopK = Annotated[
    int | None, BeforeValidator(check_top_k),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_TOP_K}),
]  # fmt: skip
_Score = Annotated[
    float | None, BeforeValidator(check_score), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})
]  # fmt: skip
_Pet = Annotated[int | None, BeforeValidator(check_pet), WithJsonSchema({"type": "integer", "minimum": 1})]
#: Not typed as a sequence, for which a query would have to repeat the parameter.
_Box = Annotated[Any, BeforeValidator(check_box), WithJsonSchema({"type": "string"})]


class IdentifyArguments(BaseModel):
    """The arguments of ``identify`` beside the photos."""

    whole: _Yes = Field(
        False, description="Take the whole picture as the pet instead of looking for pets in it."
    )
    top_k: _TopK = Field(
        None, description="How many breeds to list for each pet. Default: the server's setting, normally 5."
    )
    score: _Score = Field(
        None, description="Lowest detector score of a pet, 0 to 1. Default: the model's own threshold."
    )


class FlagArguments(BaseModel):
    """The arguments of ``flag`` beside the photo."""

    whole: _Yes = Field(
        False, description="The same value as for identify, so that pets have the same numbers."
    )
    score: _Score = Field(None, description="The same value as for identify.")
    pet: _Pet = Field(
        None, description="Number of the pet in the answer of identify, from 1. Default: the whole photo."
    )
    verdict: _Text = Field(
        "",
        description="Your verdict on the answer. `missed`: a pet in the photo was not found.",
        json_schema_extra={"enum": list(VERDICTS)},
    )
    label: _Text = Field("", description="The right breed: its id, name or an alias.")
    label_text: _Text = Field("", description="The breed in your own words, if the list of breeds lacks it.")
    species: _Text = Field(
        "",
        description="Species of a missed pet whose breed you do not know.",
        json_schema_extra={"enum": ["cat", "dog"]},
    )
    box: _Box = Field(
        None,
        description="Where a missed pet is: x0,y0,x1,y1 in pixels of the upright photo. "
        "Only with `missed`. In JSON, a list.",
    )
    consent: _Yes = Field(
        False, description="Must be true: the photo may be kept and published for training."
    )
