"""Findings as SARIF 2.1.0, which code hosts show beside the lines (OASIS, 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from jackstay.checks.finding import Finding

_LEVELS = {"note": "note", "warn": "warning", "error": "error"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(findings: Sequence[Finding], rules: Sequence[str], *, version: str) -> dict[str, Any]:
    """The log of one run of `jackstay check`."""
    driver = {"name": "jackstay", "version": version, "rules": [{"id": rule} for rule in rules]}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": [_result(finding) for finding in findings]}],
    }


def _result(finding: Finding) -> dict[str, Any]:
    file = PurePath(finding.file)
    uri = file.as_uri() if file.is_absolute() else quote(file.as_posix())
    place = {"artifactLocation": {"uri": uri}, "region": {"startLine": finding.line}}
    return {
        "ruleId": finding.rule,
        "level": _LEVELS[finding.level],
        "message": {"text": f"{finding.why}. To change: {finding.change}"},
        "locations": [{"physicalLocation": place}],
    }
