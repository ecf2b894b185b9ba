"""The commands and their options. What a command does is a module beside this one, imported when it is asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from jackstay.cli.checkpoint import checkpoint
from jackstay.cli.create import create
from jackstay.cli.export import export
from jackstay.cli.flow import flow
from jackstay.cli.json_lines import speak_json_if_asked
from jackstay.cli.metrics import metrics
from jackstay.cli.outcome import leave_quietly, reporting
from jackstay.cli.terminal import prepare_streams

RUNNING = ("run", "resume", "replay")
"""Commands that run programs; the others' output is what was asked for."""
FIRST, UPKEEP = "Commands", "Upkeep"

app = typer.Typer(
    name="jackstay",
    help="Run AI crews and flows so that nothing is lost: every call journaled, every run resumable.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
database = typer.Typer(no_args_is_help=True, help="The journal's database.")

Run = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]", help="Id, beginning of an id, run key, or a flow's state id; the latest run if not given."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
Most = Annotated[
    str | None,
    typer.Option(
        "--budget", metavar="MOST", help="What the run may spend: US dollars (0.50), or 20000tokens, or 10calls."
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse what would be asked anew because the program has changed.")
]
LogFile = Annotated[
    Path | None,
    typer.Option("--log-file", metavar="FILE", help="Write the log to this file, as JSON lines; it is rotated."),
]
MetricsPort = Annotated[
    int | None,
    typer.Option("--metrics-port", metavar="PORT", help="Serve Prometheus metrics here while the program runs."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.", envvar="JACKSTAY_DEBUG")]


def main() -> None:
    """The console script."""
    prepare_streams()
    if sys.argv[1:2] and sys.argv[1] in RUNNING:
        speak_json_if_asked()
    try:
        app()
    finally:
        leave_quietly()


@app.command(rich_help_panel=FIRST)
def run(  # noqa: PLR0913 - each is an option
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH]",
            help="A script, file.py:object, package.module, package.module:object, a declared flow (flow.yaml), or a project "
            "folder; the project around the working directory if not given.",
        ),
    ] = None,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- ARGUMENTS]...", help="The program's own arguments, after --.")
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            metavar="NAME=TEXT",
            help="An input of the kickoff (repeatable); NAME:=JSON for other values.",
        ),
    ] = None,
    inputs_file: Annotated[
        Path | None, typer.Option("--inputs", metavar="FILE", help="Inputs from a JSON or TOML file, or as JSON text.")
    ] = None,
    definition: Annotated[
        str | None, typer.Option("--definition", metavar="FILE", help="A declared flow; the same as PATH.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="This model for every agent.")] = None,
    run_key: Annotated[
        str | None,
        typer.Option(
            "--run-key", metavar="KEY", help="A name for the run: the same key goes on instead of starting again."
        ),
    ] = None,
    budget: Most = None,
    deadline: Annotated[
        float | None,
        typer.Option("--deadline", metavar="SECONDS", help="End the run after so many seconds; again when resumed."),
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Run nothing; say what the last runs of it cost, else a bound.")
    ] = False,
    log_file: LogFile = None,
    metrics_port: MetricsPort = None,
    debug: Debug = False,
) -> None:
    """Run a program as one resumable run."""
    with reporting(debug=debug):
        from jackstay.cli.environment import Watched  # on demand: see above
        from jackstay.cli.running import Asked, named
        from jackstay.cli.running import run as start

        asked = Asked(
            named(path, definition),
            tuple(arguments or ()),
            tuple(inputs or ()),
            inputs_file,
            model,
            run_key,
            budget,
            deadline,
            Watched(log_file, metrics_port),
        )
        if estimate:
            from jackstay.cli.estimating import estimate as look_ahead  # on demand: see above

            raise typer.Exit(look_ahead(asked))
        raise typer.Exit(start(asked))


@app.command(rich_help_panel=FIRST)
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the demo's runs in this folder's journal.")] = False,
    debug: Debug = False,
) -> None:
    """See it work: a crew in a flow, then a run that is killed and resumed."""
    with reporting(debug=debug):
        from jackstay.cli.demo import demo as show_off  # on demand: see above

        raise typer.Exit(show_off(keep=keep))


@app.command(rich_help_panel=FIRST)
def runs(
    unfinished: Annotated[
        bool,
        typer.Option("--unfinished", help="Only runs that have not succeeded: live, waiting, interrupted, failed."),
    ] = False,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATE",
            help="running, waiting, succeeded, failed, cancelled or interrupted (repeatable).",
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="90m, 24h, 7d, 2026-11-01 (UTC): made since then.")
    ] = None,
    crew: Annotated[
        str | None, typer.Option("--crew", metavar="NAME", help="Of this crew, or in which it was kicked off.")
    ] = None,
    sort: Annotated[
        str, typer.Option("--sort", metavar="BY", help="newest, cost, tokens or time: most first.")
    ] = "newest",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 20,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List runs, newest first."""
    with reporting(debug=debug):
        from jackstay.cli.listing import Wanted  # on demand: see above
        from jackstay.cli.listing import runs as list_runs

        wanted = Wanted(unfinished, tuple(status or ()), since, crew, sort, limit)
        raise typer.Exit(list_runs(wanted, as_json=as_json))


@app.command(rich_help_panel=FIRST)
def show(  # noqa: PLR0913 - one option per view
    run: Run = None,
    as_tree: Annotated[bool, typer.Option("--tree", help="As a tree (if no other view is asked for).")] = False,
    as_timeline: Annotated[bool, typer.Option("--timeline", help="In the order of time, with bars.")] = False,
    as_messages: Annotated[bool, typer.Option("--messages", help="What the models were told and said.")] = False,
    as_json: Json = False,
    as_mermaid: Annotated[bool, typer.Option("--mermaid", help="As a Mermaid flowchart, with its replays.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown, masked, for a ticket.")] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Into one HTML file, masked: timeline, messages, cost, and why it failed."
        ),
    ] = None,
    step: Annotated[
        str | None, typer.Option("--step", metavar="PATH", help="One step, whole: its path, or an end of it.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Watch it until it ends, then show it.")] = False,
    debug: Debug = False,
) -> None:
    """Show a run: its steps with times, tokens and cost."""
    with reporting(debug=debug):
        from jackstay.cli.showing import Look  # on demand: see above
        from jackstay.cli.showing import show as show_run

        asked = {
            "tree": as_tree,
            "timeline": as_timeline,
            "messages": as_messages,
            "json": as_json,
            "mermaid": as_mermaid,
            "markdown": as_markdown,
        }
        raise typer.Exit(show_run(run, Look.of(asked, html=html, step=step, follow=follow)))


@app.command(rich_help_panel=FIRST)
def tail(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="Id, beginning of an id, run key, or a flow's state id; the latest live run if not given.",
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Follow a run: each step as it is recorded, until the run ends."""
    with reporting(debug=debug):
        from jackstay.cli.tailing import tail as watch  # on demand: see above

        raise typer.Exit(watch(run))


@app.command(rich_help_panel=FIRST)
def why(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="Id, beginning of an id, run key, or a flow's state id; the latest run that has not succeeded if not given.",
        ),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Explain how a run ended: the causes, what was spent, what is safe, what goes on with it."""
    with reporting(debug=debug):
        from jackstay.cli.why import why as explain_run  # on demand: see above

        raise typer.Exit(explain_run(run, as_json=as_json))


@app.command(rich_help_panel=FIRST)
def usage(
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="model, crew, agent, task, tool, flow, run or day.")
    ] = "model",
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="24h, 7d, 2026-11-01 (UTC): calls from then on.")
    ] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="RUN", help="Only this run.")] = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV, for spreadsheets.")] = False,
    debug: Debug = False,
) -> None:
    """What model calls have used: tokens and cost, by model or by whom they were made for."""
    with reporting(debug=debug):
        from jackstay.cli.usage import usage as show_usage  # on demand: see above

        raise typer.Exit(show_usage(by=by, since=since, run=run, as_json=as_json, as_csv=as_csv))


@app.command(rich_help_panel=FIRST)
def resume(
    run: Run = None,
    every: Annotated[bool, typer.Option("--all", help="Every run that was interrupted or has failed.")] = False,
    decide: Annotated[
        str | None,
        typer.Option(
            "--decide",
            metavar="WHAT",
            help="What became of a tool's interrupted call: done=RESULT (it has acted), again (it has not: call it now) or fail.",
        ),
    ] = None,
    budget: Most = None,
    strict: Strict = False,
    log_file: LogFile = None,
    metrics_port: MetricsPort = None,
    debug: Debug = False,
) -> None:
    """Go on with a run: what the journal has is not done again."""
    with reporting(debug=debug):
        from jackstay.cli.environment import Watched  # on demand: see above
        from jackstay.cli.resuming import resume as go_on
        from jackstay.cli.resuming import resume_all

        watched = Watched(log_file, metrics_port)
        if every:
            raise typer.Exit(resume_all(run, budget=budget, decide=decide, strict=strict, watched=watched))
        raise typer.Exit(go_on(run, budget=budget, decide=decide, strict=strict, watched=watched))


@app.command(rich_help_panel=FIRST)
def waits(as_json: Json = False, debug: Debug = False) -> None:
    """List what runs wait for a person for."""
    with reporting(debug=debug):
        from jackstay.cli.waits import waits as list_waits  # on demand: see above

        raise typer.Exit(list_waits(as_json=as_json))


@app.command(rich_help_panel=FIRST)
def answer(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="As for show; RUN#2: the second wait of the run, as waits lists it.")
    ],
    text: Annotated[
        str | None,
        typer.Argument(metavar="[TEXT]", help='What you have to say; "" for nothing. Left out: shows what is asked.'),
    ] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", "-o", metavar="LABEL", help="One of the outcomes, instead of a text.")
    ] = None,
    go_on: Annotated[bool, typer.Option("--resume", help="Go on with the run at once.")] = False,
    debug: Debug = False,
) -> None:
    """Answer what a run waits for."""
    with reporting(debug=debug):
        from jackstay.cli.answering import answer as note_answer  # on demand: see above

        raise typer.Exit(note_answer(run, text, outcome=outcome, go_on=go_on))


@app.command(name="log-tasks-outputs", rich_help_panel=FIRST)
def log_tasks_outputs(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="Only this run: id, beginning of an id, run key, or a flow's state id."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many runs.")] = 5,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List the tasks of the latest runs, with the ids to replay them by."""
    with reporting(debug=debug):
        from jackstay.cli.tasks import log_tasks_outputs as list_tasks  # on demand: see above

        raise typer.Exit(list_tasks(run, limit=limit, as_json=as_json))


@app.command(rich_help_panel=FIRST)
def replay(  # noqa: PLR0913 - each is an option
    task: Annotated[
        str,
        typer.Option(
            "--task-id", "-t", metavar="TASK", help="As log-tasks-outputs lists it, or a name in the latest run."
        ),
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="NAME=TEXT", help="An input that is to be another one; NAME:=JSON."),
    ] = None,
    inputs_file: Annotated[
        Path | None, typer.Option("--inputs", metavar="FILE", help="Inputs from a JSON or TOML file.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="This model for every agent.")] = None,
    budget: Most = None,
    deadline: Annotated[
        float | None, typer.Option("--deadline", metavar="SECONDS", help="End the replay after so many seconds.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Run nothing; say what would run again, what is reused, and what it takes."),
    ] = False,
    strict: Strict = False,
    log_file: LogFile = None,
    metrics_port: MetricsPort = None,
    debug: Debug = False,
) -> None:
    """Run a program again from one task of an earlier run, as a new run."""
    with reporting(debug=debug):
        from jackstay.cli.environment import Watched  # on demand: see above
        from jackstay.cli.replaying import Asked
        from jackstay.cli.replaying import replay as do_again

        watched = Watched(log_file, metrics_port)
        asked = Asked(task, tuple(inputs or ()), inputs_file, model, budget, deadline, dry_run, strict, watched)
        raise typer.Exit(do_again(asked))


@app.command(rich_help_panel=FIRST)
def check(
    path: Annotated[Path, typer.Argument(metavar="[PATH]", help="A Python file or a project's folder.")] = Path(),
    fail_on: Annotated[
        str,
        typer.Option(
            "--fail-on", metavar="LEVEL", help="Exit with 1 at a finding of this level: note, warn, error, never."
        ),
    ] = "error",
    as_json: Json = False,
    as_sarif: Annotated[bool, typer.Option("--sarif", help="As SARIF 2.1.0, for code hosts.")] = False,
    debug: Debug = False,
) -> None:
    """Look through a program, and its latest run, for what will hurt in production; runs nothing."""
    with reporting(debug=debug):
        from jackstay.cli.checking import check as look_through  # on demand: see above

        raise typer.Exit(look_through(path, fail_on=fail_on, as_json=as_json, as_sarif=as_sarif))


@app.command(rich_help_panel=FIRST)
def cancel(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id, beginning of an id, run key, or a flow's state id.")],
    debug: Debug = False,
) -> None:
    """Stop a run, here or in another process; it can be resumed."""
    with reporting(debug=debug):
        from jackstay.cli.cancelling import cancel as stop  # on demand: see above

        raise typer.Exit(stop(run))


@app.command(rich_help_panel=UPKEEP)
def forget(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="Id, beginning of an id, run key, or a flow's state id."),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", metavar="NAME=VALUE", help="Instead: all runs with this tag or input."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Erase what runs were told and have said; what they cost stays."""
    with reporting(debug=debug):
        from jackstay.cli.forgetting import forget as erase  # on demand: see above

        raise typer.Exit(erase(run, where))


@app.command(rich_help_panel=FIRST)
def limits(as_json: Json = False, debug: Debug = False) -> None:
    """Show rate limits: what is used, who waits."""
    with reporting(debug=debug):
        from jackstay.cli.limits import limits as show_limits  # on demand: see above

        raise typer.Exit(show_limits(as_json=as_json))


@app.command(rich_help_panel=FIRST)
def version() -> None:
    """Print the versions of Jackstay, Python and the platform."""
    from jackstay.cli.version import version_line  # on demand: see above

    print(version_line())


@app.command(rich_help_panel=FIRST)
def doctor(
    online: Annotated[
        bool,
        typer.Option(
            "--online", help="Ask each provider for its list of models with the key that is set; spends nothing."
        ),
    ] = False,
    unfinished: Annotated[
        bool, typer.Option("--runs", help="Instead: could the code, as it is now, resume the unfinished runs?")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --runs: as JSON, for programs.")] = False,
    debug: Debug = False,
) -> None:
    """Check the installation: Python, database, keys, proxies, providers; or the unfinished runs."""
    with reporting(debug=debug):
        if unfinished:
            from jackstay.cli.resumable import examine_runs  # on demand: see above

            raise typer.Exit(examine_runs(as_json=as_json))
        from jackstay.cli.doctor import doctor as examine  # on demand: see above

        raise typer.Exit(examine(online=online))


app.add_typer(create, name="create", rich_help_panel=FIRST)
app.add_typer(checkpoint, name="checkpoint", rich_help_panel=FIRST)
app.add_typer(flow, name="flow", rich_help_panel=FIRST)
app.add_typer(export, name="export", rich_help_panel=FIRST)
app.command(rich_help_panel=UPKEEP)(metrics)
app.add_typer(database, name="db", rich_help_panel=UPKEEP)


@database.callback()
def _database() -> None:
    """The journal's database."""


@database.command()
def upgrade(debug: Debug = False) -> None:
    """Bring the database's tables up to this version."""
    with reporting(debug=debug):
        from jackstay.cli.database import upgrade as bring_up  # on demand: see above

        raise typer.Exit(bring_up())
