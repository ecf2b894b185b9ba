"""`jackstay flow …`: about flows as they are defined."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jackstay.cli.outcome import reporting

flow = typer.Typer(no_args_is_help=True, help="Flows as they are defined: pictures of them.")


@flow.callback()
def _flow() -> None:
    """Flows as they are defined: pictures of them."""


@flow.command()
def plot(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH", help="What 'jackstay run' takes: main.py:MyFlow, package.module:flow, a folder."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; - is the terminal.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="html, svg or mermaid; as FILE's suffix says, else html.")
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Show how this run fared; else the flow's latest run.")
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the whole traceback of an error.", envvar="JACKSTAY_DEBUG")
    ] = False,
) -> None:
    """Draw a flow: which method follows which, and how its latest run fared. Nothing is run."""
    with reporting(debug=debug):
        from jackstay.cli.plotting import plot_flow  # on demand: it imports the engine

        raise typer.Exit(plot_flow(path, output, form, run))
