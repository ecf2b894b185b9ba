"""`jackstay create …`: new projects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jackstay.cli.outcome import reporting

create = typer.Typer(no_args_is_help=True, help="New projects: of a crew, of a flow.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the project: letters, digits, - and _.")]
OutputDir = Annotated[
    Path | None,
    typer.Option("--output-dir", "-o", metavar="DIR", help="Make its folder in DIR; else in the working directory."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.", envvar="JACKSTAY_DEBUG")]


@create.callback()
def _create() -> None:
    """New projects: of a crew, of a flow."""


@create.command()
def crew(name: Name, output_dir: OutputDir = None, debug: Debug = False) -> None:
    """Write a project of a crew: agents and tasks in YAML, a tool, tests."""
    with reporting(debug=debug):
        from jackstay.cli.creating import create as write  # on demand: as all commands

        raise typer.Exit(write("crew", name, output_dir))


@create.command()
def flow(name: Name, output_dir: OutputDir = None, debug: Debug = False) -> None:
    """Write a project of a flow: its state, a crew in it, a tool, tests."""
    with reporting(debug=debug):
        from jackstay.cli.creating import create as write  # on demand: as above

        raise typer.Exit(write("flow", name, output_dir))
