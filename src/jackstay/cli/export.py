"""`jackstay export …`: its commands and options, beside those in `app.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from jackstay.cli.outcome import reporting

export = typer.Typer(no_args_is_help=True, help="Send what is recorded to other systems.")


@export.callback()
def _export() -> None:
    """Send what is recorded to other systems."""


@export.command()
def otlp(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]", help="Id, beginning of an id, run key, or a flow's state id; the latest run if not given."
        ),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the whole traceback of an error.", envvar="JACKSTAY_DEBUG")
    ] = False,
) -> None:
    """Send a run's spans by OTLP over HTTP, to where OTEL_EXPORTER_OTLP_ENDPOINT says."""
    with reporting(debug=debug):
        from jackstay.cli.exporting import export_otlp  # on demand, as in `app.py`

        raise typer.Exit(export_otlp(run))
