"""`jackstay metrics`: what the journal knows, as Prometheus reads it; and the dashboard and the alerts that come with it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from jackstay.cli.outcome import UsageError, reporting

OPS = {"dashboard": "dashboard.json", "alerts": "alerts.yml"}


def metrics(
    dashboard: Annotated[bool, typer.Option("--dashboard", help="Instead: a dashboard for Grafana, as JSON.")] = False,
    alerts: Annotated[bool, typer.Option("--alerts", help="Instead: alert rules for Prometheus, as YAML.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the whole traceback of an error.", envvar="JACKSTAY_DEBUG")
    ] = False,
) -> None:
    """Print what the journal knows as Prometheus metrics: runs, open waits, budgets, limits, calls."""
    with reporting(debug=debug):
        if dashboard and alerts:
            raise UsageError("--dashboard and --alerts: choose one")
        if dashboard or alerts:
            name = OPS["dashboard" if dashboard else "alerts"]
            print(files("jackstay.observe").joinpath("ops", name).read_text(encoding="utf-8"), end="")
            return
        print(_exposition(), end="")


def _exposition() -> str:
    # On demand, as in `app.py`: the journal, and the extra.
    from jackstay.cli.environment import read_dotenv
    from jackstay.cli.stored import existing_journal
    from jackstay.engine.budgets import SharedBudgets
    from jackstay.engine.gauging import stored
    from jackstay.engine.masked import Masked
    from jackstay.engine.metering import WITHOUT
    from jackstay.engine.project_file import read_project_file
    from jackstay.errors import MissingExtraError

    try:
        from prometheus_client import generate_latest  # the extra

        from jackstay.observe.exposition import Figures, registry_of  # the extra
    except ImportError as error:
        raise MissingExtraError(WITHOUT) from error
    read_dotenv()
    file = read_project_file(Path.cwd(), os.environ)
    masking = Masked(os.environ, file).now
    with existing_journal() as journal:
        found = stored(journal, SharedBudgets(file), masking, datetime.now(UTC))
    return generate_latest(registry_of(Figures(lambda: None, lambda: found))).decode("utf-8")
