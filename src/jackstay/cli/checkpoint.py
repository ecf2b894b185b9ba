"""`jackstay checkpoint …`: its commands and options, beside those in `app.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from jackstay.cli.outcome import reporting

checkpoint = typer.Typer(no_args_is_help=True, help="Points of recorded runs to begin at: list, look, resume, compare.")

Id = Annotated[str, typer.Argument(metavar="ID", help="RUN, or RUN/PATH as 'checkpoint list' prints it.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.", envvar="JACKSTAY_DEBUG")]


@checkpoint.command(name="list")
def list_them(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Only this run.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many runs.")] = 5,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List the checkpoints of the latest runs, newest first."""
    with reporting(debug=debug):
        from jackstay.cli.checkpoints import list_checkpoints  # on demand, as in `app.py`

        raise typer.Exit(list_checkpoints(run, limit=limit, as_json=as_json))


@checkpoint.command()
def info(wanted: Id, as_json: Json = False, debug: Debug = False) -> None:
    """Show what a checkpoint holds: outputs, state, usage, and what would run from there."""
    with reporting(debug=debug):
        from jackstay.cli.checkpoints import show_checkpoint  # on demand, as in `app.py`

        raise typer.Exit(show_checkpoint(wanted, as_json=as_json))


@checkpoint.command()
def resume(
    wanted: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]", help="RUN goes on with the run; RUN/PATH is a new run from there. The latest run."
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Go on from a checkpoint."""
    with reporting(debug=debug):
        from jackstay.cli.checkpoints import resume_from  # on demand, as in `app.py`

        raise typer.Exit(resume_from(wanted))


@checkpoint.command()
def diff(one: Id, other: Id, as_json: Json = False, debug: Debug = False) -> None:
    """Compare two checkpoints or runs: outputs, state, usage."""
    with reporting(debug=debug):
        from jackstay.cli.differing import diff as compare  # on demand, as in `app.py`

        raise typer.Exit(compare(one, other, as_json=as_json))


@checkpoint.command()
def prune(
    keep: Annotated[
        int | None, typer.Option("--keep", metavar="N", min=0, help="Keep the N newest runs that have ended.")
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="AGE", help="Only runs that ended before: 30d, 2w, 2026-11-01."),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Runs that failed or were cancelled, too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing; say what would go.")] = False,
    debug: Debug = False,
) -> None:
    """Delete old runs that have finished, for good. Needs --keep or --older-than; with both, both have to allow it. What
    ended in the last ten minutes stays."""
    with reporting(debug=debug):
        from jackstay.cli.pruning import prune as delete  # on demand, as in `app.py`

        raise typer.Exit(delete(keep=keep, older_than=older_than, failed=failed, dry_run=dry_run))
