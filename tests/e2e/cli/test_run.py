"""`jackstay run`: what PATH may be, how the program sees itself, where inputs come from, how it ends."""

from __future__ import annotations

import json

import pytest

from tests.e2e.cli.conftest import KICKOFF, PROGRAM

ESCAPE = "\x1b"


@pytest.mark.promise("cli.run")
def test_script_runs_as_python_would_run_it_with_its_arguments_and_the_projects_dotenv(folder):
    del folder.environ["JACKSTAY_MODEL"]
    folder.write(".env", "JACKSTAY_MODEL=sim/demo\nGREETING=from the file\nHOME=/nowhere\n")
    folder.write("sub/beside.py", "VALUE = 7\n")
    folder.write(
        "sub/main.py",
        PROGRAM,
        """
        import os, sys, beside
        print(__name__, sys.argv, os.getcwd(), beside.VALUE, os.environ["GREETING"], os.environ["HOME"])
        print(crew.kickoff(inputs={"topic": "boats"}).tasks_output[0].token_usage.total_tokens > 0)
        """,
    )

    ended = folder.run("run", "sub/main.py", "--", "--depth", "3")

    arguments = [str(folder.path / "sub/main.py"), "--depth", "3"]
    assert ended.stdout.splitlines() == [
        f"__main__ {arguments} {folder.path} 7 from the file {folder.environ['HOME']}",
        "True",
    ]
    assert ended.stderr == "model: sim/demo for every agent (JACKSTAY_MODEL)\n"
    assert ended.returncode == 0


@pytest.mark.promise("cli.run")
def test_object_is_kicked_off_with_the_command_lines_inputs_and_its_result_printed(folder):
    folder.write("crews.py", PROGRAM, KICKOFF)
    folder.write("in.json", json.dumps({"topic": "trains", "depth": 1}))

    ended = folder.run(
        "run", "crews.py:crew", "--inputs", "in.json", "-i", "topic=kites", "-i", "depth:=2", "--model", "sim/pro"
    )

    assert "kites" in ended.stdout.lower()
    assert "begin" not in ended.stdout
    assert ESCAPE not in ended.stdout + ended.stderr
    assert ended.stderr == "model: sim/pro for every agent (--model)\n"
    shown = json.loads(folder.here("show", "--json").stdout)
    assert shown["run"]["inputs"] == {"topic": "kites", "depth": 2}
    assert shown["run"]["model_override"] == "sim/pro"
    assert {step["model"] for step in shown["steps"] if step["kind"] == "llm"} == {"sim/pro"}


def test_kickoff_at_module_level_of_a_module_that_is_only_loaded_is_refused_before_it_costs_anything(folder):
    folder.write("eager.py", PROGRAM, 'crew.kickoff(inputs={"topic": "boats"})')

    ended = folder.run("run", "eager.py:crew", "-i", "topic=kites")

    assert ended.returncode == 1
    assert "a kickoff at module level ran while eager.py:crew was only being loaded" in ended.stderr
    assert "__main__" in ended.stderr
    assert json.loads(folder.here("show", "--json").stdout)["steps"] == []


@pytest.mark.promise("cli.run")
def test_project_folder_of_crewais_template_starts_what_its_scripts_name(folder):
    folder.write("p/pyproject.toml", '[project.scripts]\nrun_crew = "pack.main:run"\n[tool.crewai]\ntype = "crew"\n')
    folder.write("p/src/pack/__init__.py")
    folder.write("p/src/pack/crews.py", PROGRAM)
    folder.write(
        "p/src/pack/main.py",
        """
        from pack.crews import crew
        def run():
            print("run()", bool(crew.kickoff(inputs={"topic": "boats"}).raw))
        """,
    )

    ended = folder.run("run", "p", "-i", "topic=kites")

    assert (ended.stdout, ended.returncode) == ("run() True\n", 0)


def test_script_that_kicks_nothing_off_starts_the_one_flow_it_defines_and_its_state_id_finds_the_run(folder):
    folder.write(
        "flow.py",
        """
        from jackstay.flow import Flow, start
        class Greeting(Flow):
            @start()
            def greet(self):
                print("id", self.state["id"])
                return f"hello {self.state['name']}"
        """,
    )

    ended = folder.run("run", "flow.py", "--input", "name=Ada")

    said = ended.stdout.splitlines()
    assert said[1:] == ["hello Ada"]
    assert "flow.py kicks nothing off by itself: starting Greeting" in ended.stderr
    shown = folder.here("show", said[0].removeprefix("id "))
    assert "script flow.py" in shown.stdout


def test_a_program_that_is_no_python_is_told_by_its_line_alone(folder):
    folder.write("bad.py", "def f(:\n")

    ended = folder.run("run", "bad.py")

    assert ended.returncode == 1
    assert 'bad.py", line 1' in ended.stderr
    assert "SyntaxError: invalid syntax" in ended.stderr
    assert "jackstay/cli" not in ended.stderr


def test_users_exception_shows_their_frames_and_how_to_resume_and_a_changed_program_can_go_on(folder):
    folder.write(
        "bad.py",
        PROGRAM,
        "def fails(output):\n    raise LookupError('no such [thing]')\ncrew.tasks[0].callback = fails\n",
        KICKOFF,
    )

    ended = folder.run("run", "bad.py")

    assert ended.returncode == 1
    assert ended.stderr.count("Traceback") == 1
    assert "LookupError: no such [thing]" in ended.stderr
    assert "bad.py" in ended.stderr
    assert "jackstay/engine" not in ended.stderr
    run_id = json.loads(folder.here("runs", "--json").stdout)[0]["id"]
    assert f"jackstay resume {run_id[:13]}" in ended.stderr

    folder.write("bad.py", PROGRAM, KICKOFF)
    again = folder.run("resume")
    assert again.returncode == 0, again.stderr
    assert "answer:" in again.stdout


def test_programs_own_exit_code_is_the_commands(folder):
    folder.write("leaves.py", "import sys\nsys.exit(7)\n")

    assert folder.run("run", "leaves.py").returncode == 7


def test_missing_key_is_one_message_that_names_the_agent_and_costs_nothing(folder):
    del folder.environ["JACKSTAY_MODEL"]
    folder.write("crews.py", PROGRAM, KICKOFF)

    ended = folder.run("run", "crews.py")

    assert ended.returncode == 1
    assert ended.stderr.startswith(
        "error: OPENAI_API_KEY is not set (model gpt-4o-mini of agent 'Analyst'); put it in .env"
    )
    assert "crews.py, line" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Traceback" in folder.run("run", "crews.py", "--debug").stderr


def test_run_key_returns_to_the_finished_run_and_refuses_other_inputs(folder):
    folder.write("crews.py", PROGRAM, KICKOFF)
    first = folder.run("run", "crews.py", "--run-key", "monday")

    second = folder.here("run", "crews.py", "--run-key", "monday")
    other = folder.here("run", "crews.py", "--run-key", "monday", "-i", "topic=kites")

    assert "answer:" in first.stdout
    assert "has finished: nothing is run" in second.stderr
    assert second.exit_code == 0
    assert "the run key 'monday' belongs to run" in other.stderr
    assert other.exit_code == 1
    assert len(json.loads(folder.here("runs", "--json").stdout)) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.py"], "nowhere.py: there is no such file or folder in"),
        (["no.such.module"], "no.such.module: there is no such file, folder or module"),
        (["two.py:"], "the name of the object is missing"),
        (["empty"], "empty: nothing to run: it has no main.py"),
        (["two.py", "--input", "topic"], "--input 'topic': write it as name=text"),
        (["two.py", "--input", "n:=1,"], "is not JSON"),
        (["two.py", "--inputs", "gone.json"], "--inputs gone.json: No such file"),
        (["two.py", "--inputs", "broken.json"], "--inputs broken.json: line 2, column 9: Expecting value"),
        (["two.py", "--inputs", "broken.toml"], "--inputs broken.toml: line 1, column 4"),
        (["two.py", "--inputs", "list.json"], "it has to be an object of names and values, not a list"),
        (["two.py", "--inputs", "in.yaml"], "YAML is not read; write the inputs as JSON or TOML"),
    ],
)
def test_bad_input_is_named_with_its_place_and_a_remedy(folder, arguments, said):
    folder.write("two.py", "raise AssertionError('it must not be started')\n")
    (folder.path / "empty").mkdir()
    folder.write("broken.json", '{"a": 1,\n   "b": }\n')
    folder.write("broken.toml", "a =\n")
    folder.write("list.json", "[1]")
    folder.write("in.yaml", "a: 1")

    ended = folder.here("run", *arguments)

    assert said in ended.stderr.replace(f"{folder.path}/", "")
    assert ended.exit_code == 2
    assert "Traceback" not in ended.stderr
    assert not (folder.path / ".jackstay").exists()
