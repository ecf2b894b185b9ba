"""Web search through Serper's API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from jackstay.errors import ToolFailure
from jackstay.tools.base_tool import BaseTool
from jackstay.tools.variables import EnvVar, variable

if TYPE_CHECKING:
    import httpx2

SERPER = "https://google.serper.dev"
_FOUND_IN = {"search": "organic", "news": "news"}


class WebSearchTool(BaseTool):
    """Searches the web, or the news. The key is the variable `api_key_env`; it is read when the tool is called, and stored
    nowhere. What goes wrong is a `ToolFailure`: `code` is `http_<status>`, `timeout`, `connection` or `unreadable`."""

    name: str = "Web search"
    description: str = "Searches the web for a query and gives title, link and snippet of the pages found."
    side_effect: bool | None = False
    n_results: int = Field(default=10, ge=1)
    search_type: Literal["search", "news"] = "search"
    country: str = ""
    locale: str = ""
    location: str = ""
    base_url: str = SERPER
    timeout_s: float = Field(default=30.0, gt=0)
    api_key_env: str = "SERPER_API_KEY"

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        if not self.env_vars:
            self.env_vars = [EnvVar(name=self.api_key_env, description="the key of the web search service, Serper")]

    async def _run(self, search_query: str) -> dict[str, Any]:
        found = await self._asked(search_query)
        pages = found.get(_FOUND_IN[self.search_type]) or []
        results = [
            {name: page[name] for name in ("title", "link", "snippet", "date") if page.get(name)} for page in pages
        ]
        answer = {"answer": found["answerBox"]} if found.get("answerBox") else {}
        return {**answer, "results": results[: self.n_results]}

    async def _asked(self, query: str) -> dict[str, Any]:
        import httpx2  # with the first search: loading the package asks for no HTTP client

        asked = {"q": query, "num": self.n_results, "gl": self.country, "hl": self.locale, "location": self.location}
        headers = {"X-API-KEY": variable(self.api_key_env) or ""}
        url = f"{self.base_url.rstrip('/')}/{self.search_type}"
        try:
            async with httpx2.AsyncClient(timeout=self.timeout_s) as client:
                answer = await client.post(url, json={k: v for k, v in asked.items() if v}, headers=headers)
        except httpx2.TimeoutException as error:
            raise _failed(f"did not answer within {self.timeout_s:g} s", "timeout", retryable=True) from error
        except httpx2.HTTPError as error:
            raise _failed(f"could not be reached ({error})", "connection", retryable=True) from error
        return self._read(answer)

    def _read(self, answer: httpx2.Response) -> dict[str, Any]:
        status = answer.status_code
        if status in (401, 403):
            raise _failed(f"refused the key in {self.api_key_env} ({status})", f"http_{status}")
        if status >= 400:
            again = status == 429 or status >= 500
            raise _failed(f"answered {status}: {answer.text[:200]}", f"http_{status}", retryable=again)
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise _failed("answered with something that is no JSON object", "unreadable", retryable=True)
        return found


def _failed(what: str, code: str, *, retryable: bool = False) -> ToolFailure:
    return ToolFailure(f"the web search {what}", reason="unavailable", code=code, retryable=retryable)
