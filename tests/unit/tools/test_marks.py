"""Tools that act on the world, as they are marked: the one warning for those that are not, what does not go together."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from jackstay.errors import DefinitionError
from jackstay.tools import BaseTool, call_context, tool
from jackstay.tools.base_tool import as_tool_def
from jackstay.tools.marks import sounds_like_writing


@pytest.mark.parametrize(
    "name",
    ["send_email", "Send Email", "createInvoice", "payBill", "HTTPPost", "delete", "slack_post_message", "book-flight"],
)
def test_names_that_sound_like_writing(name: str) -> None:
    assert sounds_like_writing(name)


@pytest.mark.parametrize(
    "name",
    ["search", "get_post", "list updates", "readBook", "order_status", "sender", "payload", "web_search", "tide"],
)
def test_names_that_do_not(name: str) -> None:
    assert not sounds_like_writing(name)


def _warnings(define: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = define()
        made.to_def()
        made.to_def()
    return [str(each.message) for each in caught]


def decorated(**mark: Any) -> Any:
    @tool(**mark)
    def send_mail(to: str) -> str:
        """Sends."""
        return to

    return send_mail


def of_a_class(**mark: Any) -> Any:
    class PayBill(BaseTool):
        name: str = "pay_bill"
        description: str = "Pays."
        side_effect: bool | None = mark.get("side_effect")

        def _run(self, number: int) -> str:
            return str(number)

    PayBill()
    return PayBill()


@pytest.mark.parametrize("define", [decorated, of_a_class])
def test_an_unmarked_tool_whose_name_says_that_it_writes_is_warned_of_once(define: Any) -> None:
    [said] = _warnings(define)

    assert "side_effect=True" in said
    assert "side_effect=False" in said


@pytest.mark.parametrize("define", [lambda: decorated(max_usage_count=3), of_a_class])
def test_the_warning_names_the_place_where_the_tool_is_defined(define: Any) -> None:
    with pytest.warns(UserWarning, match="sounds as if it acted") as caught:
        define()

    assert [each.filename for each in caught] == [__file__]


@pytest.mark.parametrize("mark", [True, False])
@pytest.mark.parametrize("define", [decorated, of_a_class])
def test_a_marked_one_is_not(define: Any, mark: bool) -> None:
    assert _warnings(lambda: define(side_effect=mark)) == []


def test_a_name_given_to_an_instance_is_looked_at_too() -> None:
    class Http(BaseTool):
        name: str = "http"
        description: str = "Asks."

        def _run(self) -> str:
            return ""

    with pytest.warns(UserWarning, match="'delete_page'"):
        Http(name="delete_page")


def test_a_tool_of_somebody_elses_may_carry_the_mark() -> None:
    class Foreign:
        name, description, side_effect = "send it", "Sends.", True

        def func(self, q: str) -> str:
            return q

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert as_tool_def(Foreign(), "agent").side_effect


def test_what_acts_on_the_world_is_never_cached() -> None:
    with pytest.raises(DefinitionError, match="leave cache_ttl_s out"):
        decorated(side_effect=True, cache_ttl_s=60)


def test_an_option_that_no_tool_has_is_refused() -> None:
    with pytest.raises(TypeError, match="no option polled"):
        tool(polled=True)  # type: ignore[call-overload]


def test_a_tool_called_directly_has_no_call_context() -> None:
    with pytest.raises(LookupError, match="an agent has called"):
        call_context()
