"""`jackstay flow …`: about flows, and projects of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jackstay.cli.outcome import reporting
from jackstay.cli.target import nearest_project

Path_ = Annotated[
    str | None,
    typer.Argument(
        metavar="[PATH]",
        help="What 'jackstay run' takes: main.py:MyFlow, package.module:flow, a folder; this project if not given.",
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.", envvar="JACKSTAY_DEBUG")]

flow = typer.Typer(no_args_is_help=True, help="Flows: pictures of them, further crews in them.")


@flow.callback()
def _flow() -> None:
    """Flows: pictures of them, further crews in them."""


@flow.command()
def kickoff(path: Path_ = None, debug: Debug = False) -> None:
    """Run a flow, as `jackstay run` does."""
    with reporting(debug=debug):
        from jackstay.cli.running import Asked, run  # on demand: it imports the engine

        raise typer.Exit(run(Asked(path or nearest_project(Path.cwd()))))


@flow.command(name="add-crew")
def add_crew(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the crew: letters, digits, - and _.")],
    debug: Debug = False,
) -> None:
    """Write a further crew into this project: src/PACKAGE/crews/NAME."""
    with reporting(debug=debug):
        from jackstay.cli.creating import add_crew as add  # on demand: as above

        raise typer.Exit(add(name))


@flow.command()
def plot(
    path: Path_ = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; - is the terminal.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="html, svg or mermaid; as FILE's suffix says, else html.")
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Show how this run fared; else the flow's latest run.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Draw a flow: which method follows which, and how its latest run fared. Nothing is run."""
    with reporting(debug=debug):
        from jackstay.cli.plotting import plot_flow  # on demand: it imports the engine

        raise typer.Exit(plot_flow(path or nearest_project(Path.cwd()), output, form, run))
