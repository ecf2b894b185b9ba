"""The settings that docs/tracing.md gives for each product: a program that is started with them sends its spans to that path,
with those headers."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.docs.pages import ROOT
from tests.e2e.tracing.receiver import Receiver
from tests.e2e.tracing.test_processes import HELLO, program

PAGE = (ROOT / "docs" / "tracing.md").read_text(encoding="utf-8").partition("## Products")[2]
EXPECTED = {
    "Langfuse": (
        "/api/public/otel/v1/traces",
        {"authorization": "Basic cGstbGYtMTIzOnNrLWxmLTQ1Ng==", "x-langfuse-ingestion-version": "4"},
        "jackstay",
    ),
    "Phoenix": ("/v1/traces", {"authorization": "Bearer YOUR-KEY"}, "jackstay"),
    "Datadog": ("/v1/traces", {"dd-api-key": "YOUR-KEY", "dd-otlp-source": "llmobs"}, "desk"),
    "MLflow": ("/v1/traces", {"x-mlflow-experiment-id": "123"}, "jackstay"),
    "Grafana": ("/otlp/v1/traces", {"authorization": "Basic MTIzNDU2OmdsY190b2tlbg=="}, "jackstay"),
}


def settings() -> dict[str, dict[str, str]]:
    """The variables of each section."""
    return {
        name: dict(re.findall(r'^export (\w+)="(.*)"$', text, re.MULTILINE))
        for name, text in re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    }


def test_every_product_of_the_page_is_expected_here():
    assert settings().keys() == EXPECTED.keys()


@pytest.mark.parametrize("product", EXPECTED)
def test_settings_of_the_page_send_spans_where_the_product_wants_them(product, tmp_path: Path, receiver: Receiver):
    given = settings()[product]
    [where] = [name for name in given if name.endswith("_ENDPOINT")]
    # The host is the product's; the rest of its address counts.
    address = receiver.url + urlsplit(given[where]).path

    done = program(tmp_path, HELLO, **{**given, where: address})

    path, headers, service = EXPECTED[product]
    assert (done.returncode, done.stderr) == (0, "")
    assert {sent for sent, _ in receiver.requests} == {path}
    assert headers.items() <= receiver.requests[0][1].items()
    assert receiver.requests[0][1]["content-type"] == "application/x-protobuf"
    assert sorted(span.name for span in receiver.spans) == [
        "chat demo", "invoke_agent Analyst", "invoke_workflow crew", "task research",
    ]  # fmt: skip
    assert {span.resource["service.name"] for span in receiver.spans} == {service}
    if "OTEL_RESOURCE_ATTRIBUTES" in given:
        assert {span.resource["openinference.project.name"] for span in receiver.spans} == {"desk"}
