"""Recorded exceptions: data, and raised again as what they were, or as the nearest known ancestor."""

from __future__ import annotations

import json

import pytest

from jackstay import errors
from jackstay.core.failures import Failure, failure_of, rebuild
from jackstay.core.values import class_name
from jackstay.errors import MissingVariableError, ModelRateLimited, NoFinalAnswer, OutputError


class Plain(ValueError):
    pass


class WithFields(Exception):
    """Its `__init__` wants what is in its args."""

    def __init__(self, status: int, body: str) -> None:
        self.status, self.body = status, body

    def __str__(self) -> str:
        return f"{self.status}: {self.body}"


class OtherArguments(KeyError):
    """Its `__init__` wants what is not in its args."""

    def __init__(self, *, key: str, table: str) -> None:
        super().__init__(f"{key} in {table}")
        self.key = key


class Unmakeable(LookupError):
    def __new__(cls, *args: object, **kwargs: object) -> Unmakeable:
        if "secret" not in kwargs:
            raise TypeError("secret is needed")
        return super().__new__(cls, *args)

    def __init__(self, text: str, *, secret: int) -> None:
        super().__init__(text)


class Silent(Exception):
    def __str__(self) -> str:
        return self.text  # type: ignore[attr-defined,no-any-return]


CLASSES = {class_name(cls): cls for cls in (Plain, WithFields, OtherArguments, Unmakeable, Silent)}


def again(error: BaseException, classes: dict[str, type] | None = None) -> Exception:
    stored = failure_of(error, traceback="Traceback …").to_json()
    json.loads(stored)
    return rebuild(Failure.from_json(stored), CLASSES if classes is None else classes)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        KeyError("missing"),
        ValueError(),
        ValueError("a", 2, ["x"]),
        ZeroDivisionError("division by zero"),
        TimeoutError("late"),
        AssertionError("assert 1 == 2"),
        Plain("mine"),
        WithFields(404, "gone"),
        OtherArguments(key="k", table="t"),
        NoFinalAnswer("used up"),
        OutputError("does not fit"),
        MissingVariableError("topic", "goal", "agent 'A'"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_comes_back_as_what_it_was(error: Exception) -> None:
    back = again(error)

    assert type(back) is type(error)
    assert str(back) == str(error)


def test_os_errors_keep_their_number() -> None:
    back = again(FileNotFoundError(2, "No such file or directory", "/x"))

    assert isinstance(back, FileNotFoundError)
    assert (back.errno, back.filename, str(back)) == (2, "/x", "[Errno 2] No such file or directory: '/x'")


def test_unicode_errors_keep_their_text() -> None:
    try:
        b"\xff".decode()
    except UnicodeDecodeError as error:
        back = again(error)

    assert "invalid start byte" in str(back)
    assert isinstance(back, ValueError)


def test_an_exception_group_comes_back_as_an_exception_with_its_text() -> None:
    back = again(ExceptionGroup("several", [ValueError("a")]))

    assert "several (1 sub-exception)" in str(back)


def test_json_errors_are_still_value_errors() -> None:
    try:
        json.loads("{")
    except json.JSONDecodeError as error:
        back = again(error)

    assert isinstance(back, ValueError)
    assert "Expecting property name" in str(back)


@pytest.mark.parametrize(
    ("error", "ancestor"),
    [(Plain("x"), ValueError), (OtherArguments(key="k", table="t"), KeyError), (WithFields(500, "b"), Exception)],
    ids=["ValueError", "KeyError", "Exception"],
)
def test_an_unknown_class_comes_back_as_its_nearest_known_ancestor(error: Exception, ancestor: type) -> None:
    back = again(error, classes={})

    assert type(back) is ancestor
    assert str(error) in str(back)


def test_a_class_that_cannot_be_made_comes_back_as_its_ancestor() -> None:
    back = again(Unmakeable("kept", secret=1))

    assert type(back) is LookupError
    assert str(back) == "kept"


def test_a_class_whose_text_needs_attributes_comes_back_as_its_ancestor() -> None:
    error = Silent()
    error.text = "from an attribute"  # type: ignore[attr-defined]

    back = again(error)

    assert type(back) is Exception
    assert str(back) == "from an attribute"


def test_model_errors_keep_their_fields() -> None:
    error = ModelRateLimited("slow down", model="m", provider="p", status=429, retry_after_s=1.5, exhausted=True)

    back = again(error)

    assert isinstance(back, ModelRateLimited)
    assert back.details() == error.details()
    assert back.args == ("slow down",)


def test_every_error_of_ours_can_be_raised_again() -> None:
    for cls in vars(errors).values():
        if isinstance(cls, type) and issubclass(cls, errors.JackstayError) and cls is not MissingVariableError:
            back = again(cls("text"))
            assert (type(back), str(back)) == (cls, "text")
            assert back.code == cls.code  # type: ignore[attr-defined]


def test_notes_and_code_are_kept() -> None:
    error = Plain("x")
    error.add_note("while reading page 3")

    back = again(error)

    assert back.__notes__ == ["while reading page 3"]
    assert failure_of(NoFinalAnswer("x")).code == "max_iterations"
    assert failure_of(error).code == "error"


def test_an_http_libraries_numeric_code_is_not_taken_for_ours() -> None:
    error = Plain("x")
    error.code = 404  # type: ignore[attr-defined]

    assert failure_of(error).code == "error"


def test_arguments_that_json_has_not_are_kept_as_text() -> None:
    failure = failure_of(ValueError("x", {1, 2}, object))

    assert failure.args[0] == "x"
    assert all(isinstance(arg, str) for arg in failure.args)
    Failure.from_json(failure.to_json())


def test_signals_are_never_rebuilt_as_such() -> None:
    assert type(again(KeyboardInterrupt("x"))) is RuntimeError
    assert type(again(SystemExit(3))) is RuntimeError


def test_a_row_of_a_later_version_with_more_fields_is_read() -> None:
    body = json.loads(failure_of(ValueError("x")).to_json()) | {"severity": "high"}

    assert Failure.from_json(json.dumps(body)).message == "x"
