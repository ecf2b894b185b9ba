"""What of CrewAI's public surface is promised, row by row: the data of docs/crewai-compatibility.md.

A row says `promise | level | kind | what is promised`. Level: P0 is needed to run crews in production, P1 is common.
Kind: `same`; `better`: the names are the same, what happens differs on purpose; `warned`: accepted, and a warning says that it
does nothing; `absent`: not there. What a row claims counts only as far as a test marked with its promise proves it: see
`tools/compatibility.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast, get_args

Level = Literal["P0", "P1"]
Kind = Literal["same", "better", "warned", "absent"]


@dataclass(frozen=True, slots=True)
class Row:
    section: str
    promise: str
    """What tests are marked with: `agent.max_iter`."""
    level: Level
    claimed: Kind
    says: str

    @property
    def name(self) -> str:
        """As the page has it: without the section's word."""
        return self.promise.partition(".")[2]


def table(section: str, word: str, text: str) -> list[Row]:
    """The rows of a section; `word` stands before their names in the promises."""
    return [_row(section, word, line) for line in text.strip().splitlines()]


def _row(section: str, word: str, line: str) -> Row:
    name, level, kind, says = (cell.strip() for cell in line.split(" | ", 3))
    if level not in get_args(Level) or kind not in get_args(Kind):
        raise ValueError(f"{word}.{name}: {level} and {kind} have to be one of {get_args(Level)} and {get_args(Kind)}")
    return Row(section, f"{word}.{name}", cast("Level", level), cast("Kind", kind), says)


def all_rows() -> Iterator[Row]:
    yield from AGENT
    yield from TASK
    yield from CREW
    yield from RUN
    yield from FLOW
    yield from FLOWING
    yield from TOOLS
    yield from MODELS
    yield from HUMAN
    yield from AROUND
    yield from COMMANDS


AGENT = table(
    "Agent",
    "agent",
    """
role | P0 | same | it begins the system prompt; `{variables}` are filled in
goal | P0 | same | it is in the system prompt; `{variables}` are filled in
backstory | P0 | same | it is in the system prompt; `{variables}` are filled in
id | P0 | same | given by the agent itself; passing one is refused
config | P0 | same | a dict whose keys fill in the arguments
llm | P0 | same | a name, a dict, an `LLM`, a `BaseLLM`; nothing: `MODEL`, `MODEL_NAME`, `OPENAI_MODEL_NAME`, else `gpt-4.1-mini`
tools | P0 | same | `BaseTool`s, `@tool` functions, objects with `name`, `description` and `func`
max_iter | P0 | same | 25 turns, then one more call that forces a final answer
max_rpm | P0 | better | requests per minute, shared by copies and by other processes; calls wait, no thread sleeps
max_retry_limit | P0 | better | 2; counts per task, not per lifetime, and not on top of the retries of calls over the wire
max_execution_time | P0 | better | seconds per task; the work stops then, also under a synchronous kickoff
allow_delegation | P0 | same | off; on: two tools over the crew's other agents
step_callback | P0 | better | called with each turn's tool calls, and with every answer as an object with `output`, which CrewAI does in some cases
respect_context_window | P0 | better | counted before it is sent: long texts are shown shortened, with a tool that reads on; what is too long all the same is summed up; off: an error, and nothing is sent
mcps | P0 | same | tools of MCP servers
checkpoint | P0 | better | accepted; every step is on disk in any case
kickoff | P0 | same | the agent alone, given messages; a `LiteAgentOutput` with `raw`, `pydantic`, `agent_role`, `usage_metrics`
akickoff | P0 | same | the same, awaited; `kickoff_async` as well
input_files | P1 | warned | files for the model
execute_task | P0 | better | what subclasses of `BaseAgent` or `Agent` write, also `aexecute_task`: an agent of another kind in a crew; its answer is recorded
cache | P1 | better | says nothing: a tool's results answer equal calls only if the tool asks for it (`cache_ttl_s`)
tool_failure_policy | P1 | same | what follows from a tool's stated failure: `ignore`, `warn`, `raise`
use_system_prompt | P1 | same | off: the system text stands in the user message
system_template | P1 | same | a template around the system text
prompt_template | P1 | same | a template around the prompt
response_template | P1 | same | what stands behind `{{ .Response }}` in it is a word at which the model stops
inject_date | P1 | better | the date is in the prompt; recorded, so that a resume on another day asks the same
date_format | P1 | same | how that date is written
guardrail | P1 | same | of `Agent.kickoff`: a function, or words for a model to judge by
guardrail_max_retries | P1 | same | 3
planning | P1 | same | a plan is made before the work, in one recorded call
planning_config | P1 | better | a `PlanningConfig`: how plans are made; the agent works by its plan, which is not carried out step by step
reasoning | P1 | same | the older name of `planning`; `max_reasoning_attempts` with it
copy | P1 | same | an agent of its own with the same definition
key | P1 | same | of role, goal and backstory, the same in every process
verbose | P1 | better | what it does is printed as it happens, runs at once kept apart; secrets never
memory | P1 | absent | refused, with the release that brings it; `False` and `None` are accepted
knowledge | P1 | absent | refused, as `memory`
knowledge_sources | P1 | absent | refused, as `memory`
knowledge_config | P1 | absent | refused, as `memory`
embedder | P1 | absent | refused, as `memory`
skills | P1 | warned | skills
security_config | P1 | same | a `SecurityConfig` with a `Fingerprint` of its own; no part of any question
cache_handler | P1 | warned | a store for results of tools
tools_results | P1 | better | `tool_name`, `tool_args` and `result` of its calls in the last run, read from the journal when asked for
crew | P1 | better | the crew that it has worked in last; set at the end of a kickoff, and read-only
""",
)

TASK = table(
    "Task",
    "task",
    """
description | P0 | same | it begins the prompt; `{variables}` are filled in
expected_output | P0 | same | it is in the prompt; `{variables}` are filled in
id | P0 | same | given by the task itself; passing one is refused
name | P0 | same | in the output; without one, the description
config | P0 | same | a dict whose keys are set
agent | P0 | same | who does it; a sequential crew needs one on every task
context | P0 | same | not given: all earlier outputs; a list: those, in its order; `[]` or `None`: nothing
tools | P0 | same | they stand in for the agent's
async_execution | P0 | same | runs beside its asynchronous neighbours; the next synchronous task waits for them
output_pydantic | P0 | same | an answer that fits the class, as `pydantic`; exclusive with `output_json`
output_json | P0 | same | an answer that fits the class, as `json_dict`
output_file | P0 | same | the result is written there; filled in, leading `/` dropped, ways out refused
create_directory | P0 | same | on: folders are made
callback | P0 | same | called with the `TaskOutput`; coroutines are awaited
guardrail | P0 | better | may send the answer back; sees the parsed object at once, and the conversation goes on
guardrails | P0 | same | several in order, each with its own retries; they stand in for `guardrail`
guardrail_max_retries | P0 | same | 3 retries after the first failure
human_input | P0 | better | a person sees each answer until there is nothing to say; where nobody is there, the run waits
output | P0 | same | the last run's `TaskOutput`
conditional | P0 | same | `ConditionalTask`: skipped, with an empty output, where its condition does not hold
task_output | P0 | same | `TaskOutput`: `raw`, `pydantic`, `json_dict`, `agent`, `name`, `summary`, `output_format`, `json`, `to_dict()`, `str()`
copy | P0 | same | `copy(agents, task_mapping)`: the agent with its role, context tasks by their `key`; where there is none, those that it had
key | P0 | better | the task's word in the journal, readable; no md5
prompt | P0 | same | the text that its agent is asked, schema included; our words
execute_sync | P0 | better | one task outside of a crew, with another agent, context or tools if given; also `execute_async` (a `Future`) and `aexecute_sync`: a recorded run of one task
interpolate | P0 | same | `interpolate_inputs_and_add_conversation_history(inputs)`: fills them into the task's own texts, again from the original ones
execution_duration | P0 | better | seconds, of the last run that succeeded; `start_time` and `end_time` with it, in UTC
response_model | P1 | same | the form of the answer; beside `output_json` that decides
markdown | P1 | same | the prompt asks for Markdown
tool_failure_policy | P1 | same | before the agent's
input_files | P1 | warned | files for the model
converter_cls | P1 | warned | a converter of one's own
security_config | P1 | same | a `SecurityConfig` with a `Fingerprint` of its own; no part of any question
allow_crewai_trigger_context | P1 | warned | the payload of a trigger in the prompt
counters | P1 | better | `used_tools`, `tools_errors`, `delegations`, `retry_count`: of the last run, read from the journal when asked for
prompt_context | P1 | better | what it was told of other tasks in the last run of this process; also `processed_by_agents`
""",
)

CREW = table(
    "Crew",
    "crew",
    """
agents | P0 | same | a list
tasks | P0 | same | done in their order
name | P0 | same | `crew`; in the journal and in `jackstay usage --by crew`
id | P0 | same | given by the crew itself; passing one is refused
process | P0 | same | `Process.sequential` or `Process.hierarchical`
manager_llm | P0 | same | a "Crew Manager" with this model does all tasks through the agents
manager_agent | P0 | same | an agent of one's own does; without tools, and none of `agents`
step_callback | P0 | same | for agents without one
task_callback | P0 | same | after every task, behind the task's own; once if they are the same
before_kickoff_callbacks | P0 | same | given the inputs, in order; what they return is filled in
after_kickoff_callbacks | P0 | same | given the `CrewOutput`, in order; may return another one
stream | P0 | better | a kickoff is a `CrewStreamingOutput`; closing it stops the run and its spending
max_rpm | P0 | better | requests per minute of the whole crew, shared by copies and by other processes
checkpoint | P0 | better | accepted; every step is on disk in any case
usage_metrics | P0 | better | the last run's own usage, whatever is shared
token_usage | P0 | better | the same as `usage_metrics`: the last run's own
kickoff | P0 | same | runs and blocks; a `CrewOutput`
kickoff_async | P0 | better | the same, awaited; no thread is held
akickoff | P0 | better | the same, awaited; models, tools and callbacks are asynchronous throughout
input_files | P1 | warned | files for the models, given to a kickoff
kickoff_for_each | P0 | better | a run for each item, 8 at a time, in the order of the inputs; one that fails stops no other
akickoff_for_each | P0 | better | the same, awaited; `kickoff_for_each_async` as well
replay | P0 | better | from any task of any run that is in the journal, in any process
copy | P0 | same | agents, tasks and ids of its own; contexts point into the copy
from_checkpoint | P0 | better | begins at a point of an earlier run; also `fork`
calculate_usage_metrics | P0 | better | the last run's own usage; what agents share is counted once
crew_output | P0 | same | `CrewOutput`: `raw`, `pydantic`, `json_dict`, `tasks_output`, `token_usage`, `json`, `to_dict()`, `[key]`, `str()`, `tool_failures`
usage_metrics_object | P0 | same | `UsageMetrics`: total, prompt, cached, completion, reasoning and cache-creation tokens, successful requests, `add_usage_metrics`
validation.missing_keys | P0 | same | a crew without tasks is refused
validation.manager | P0 | same | a hierarchical crew without a manager, or with one of its agents as manager, is refused
validation.missing_agent | P0 | same | a sequential crew with a task without an agent is refused
validation.async_end | P0 | same | more than one asynchronous task at the end is refused
validation.conditional | P0 | same | a first task, all tasks, or an asynchronous task that is conditional is refused
validation.async_context | P0 | same | an asynchronous task with one that runs beside it in its context is refused
validation.future_context | P0 | same | a later task in the context is refused
fetch_inputs | P1 | same | the names of all `{variables}`
fingerprint | P1 | better | of the whole definition: equal ones can resume one another
output_log_file | P1 | same | begins and ends of tasks, as text or JSON
tool_failure_policy | P1 | same | for agents and tasks without one
cache | P1 | better | says nothing: see `Agent.cache`
planning | P1 | same | a plan for all tasks before they begin
planning_llm | P1 | same | the model that plans: `gpt-5.4-mini`
verbose | P1 | better | what happens is printed as it happens, runs at once kept apart; secrets never
config | P1 | warned | a crew from a dict
memory | P1 | absent | refused, with the release that brings it; `False` and `None` are accepted
embedder | P1 | absent | refused, as `memory`
knowledge | P1 | absent | refused, as `memory`
knowledge_sources | P1 | absent | refused, as `memory`
skills | P1 | warned | skills for all agents
prompt_file | P1 | warned | other prompts
security_config | P1 | same | a `SecurityConfig` with a `Fingerprint` of its own; no part of any question
tracing | P1 | better | says nothing: nothing is sent anywhere, and every run can be looked at
reset_memories | P1 | absent | memory
query_knowledge | P1 | absent | knowledge
""",
)

RUN = table(
    "What happens in a run",
    "run",
    """
interpolation | P0 | same | `{name}` alone is filled in, with `str(value)`; JSON braces and `{ spaced }` stay
interpolation.values | P0 | same | str, int, float, bool, None, lists and dicts of these; no mapping is a `TypeError`
interpolation.none | P0 | better | without inputs placeholders stay as they are; one warning says so
interpolation.missing | P0 | better | one error type everywhere, a `ValueError` that names the variable and the field, before anything is asked
interpolation.again | P0 | same | the definition keeps its placeholders: the next kickoff fills them in anew
context.join | P0 | same | the outputs joined by a line of ten dashes, under CrewAI's heading
context.async | P0 | same | an asynchronous task that names none has no context
async.join | P0 | same | the next synchronous task waits for all before it; outputs are in the tasks' order
async.failure | P0 | same | one that fails ends the run with its error, before the next synchronous task
conditional.sees_last | P0 | same | the condition is given the output before it, after asynchronous tasks are in
final_output | P0 | same | the last output that says something
callback_order | P0 | same | before, task, crew's task, after
output.correction | P0 | same | an answer that does not fit is asked for again, up to three times, then an error
output.lenient | P0 | same | JSON in a fence or between sentences, and raw line breaks in it, are read
output.file_form | P0 | same | of a structured output the file has the JSON
guardrail.verdicts | P0 | same | (True, text) replaces, (True, output) replaces all, (True, None) is refused, (False, why) asks again
guardrail.raises | P0 | same | what it raises ends the run at once
guardrail.context | P0 | better | a retry keeps the task's context and adds what was wrong
guardrail.signature | P0 | same | exactly one required parameter; an annotation has to be `tuple[bool, …]`
errors.agent | P0 | better | what a model of one's own raises is tried again, a time-out is not; calls over the wire are retried in one place
max_iter.debris | P0 | better | unfinished tool calls are never passed off as an answer: the run ends with `max_iterations`
hierarchical | P0 | better | the manager does every task; a task's own agent is named to it, not the only one
delegation.tools | P0 | better | `delegate_work_to_coworker`, `ask_question_to_coworker`; the coworker is an enumeration in the schema
delegation.names | P0 | same | case, spaces and quotes do not matter; an unknown name is told the options
replay.before | P0 | same | tasks that do not depend on it are taken from the record
replay.inputs | P0 | same | the run's inputs, unless others are given
replay.unknown | P0 | same | an unknown id is a `ValueError`
replay.pydantic | P0 | better | structured outputs come back as their objects
tool_errors | P0 | same | what a tool raises is told to the model and listed in `tool_failures`
tool_cache | P0 | better | tool and arguments, within the run, for as long as the tool says; failures never
stream.chunks | P0 | same | chunks of text and of tool calls with task and agent
stream.result | P0 | same | `.result` before the end is a `RuntimeError`; `get_full_text()`, `.chunks`, `.results`
human_input.loop | P0 | same | asked until the answer is empty
usage.own | P0 | better | a result's usage is its run's: shared, copied, streamed, retried or resumed models are counted once
concurrent_kickoffs | P0 | better | one object runs any number of times at once
for_each.isolation | P0 | better | a failed item has `ok=False`, `error` and `raw=""`; `on_error="raise"` as in CrewAI
""",
)

FLOW = table(
    "Flow",
    "flow",
    """
initial_state | P0 | same | a class, an instance, a dict, `dict`; `Flow[State]`; an instance is not shared between flows
name | P0 | same | stands for the class's name in runs, events and definitions
max_method_calls | P0 | same | 100 calls of one listener or router; starts are not counted; then a `RecursionError`
persistence | P0 | same | a backend of one object, before those of decorators
checkpoint | P0 | better | accepted; the journal has every method in any case
stream | P1 | better | a kickoff is a `StreamSession` of `StreamFrame`s, an awaited one an `AsyncStreamSession`; models stream without being told
tracing | P1 | better | says nothing: nothing is sent anywhere, and every run can be looked at
suppress_flow_events | P1 | better | says nothing: nothing is printed
memory | P1 | absent | memory
start | P0 | same | `@start()`, `@start(condition)`: a method, its name, a label, `or_`, `and_`
listen | P0 | same | the same conditions; what completed is the argument of a method that takes one
router | P0 | same | alone or on top of `@start()`; labels by `emit=`, a `Literal` or an Enum
or_ | P0 | same | any of them; they nest
and_ | P0 | same | all of them, in any order; they nest
persist | P0 | better | on a class or a method: the state by its id, after each method; an unfinished run goes on where it was
kickoff | P0 | better | one object may be kicked off many times at once
akickoff | P0 | same | the same, awaited; `kickoff_async` as well
state | P0 | same | in a run that run's, outside the last finished one's; `flow_id`
method_outputs | P0 | same | what the methods returned, in the order in which they completed
usage_metrics | P0 | better | tokens of the whole run, crews and calls inside included; `cost_usd` beside it
from_checkpoint | P0 | better | a copy that begins at any method of any run; a kickoff's argument as well
fork | P0 | better | a copy whose kickoffs are new runs from there
set_flow_persistence_factory | P0 | same | the backend where nothing else is said
FlowPersistence | P0 | same | a backend of one's own: `init_db`, `save_state`, `load_state`
SQLiteFlowPersistence | P0 | same | a file with CrewAI's tables; without a path the journal
stream_events | P1 | better | one kickoff with frames of channels `llm`, `flow`, `tools`, `lifecycle`, `custom`; `interleave`; `.result`
astream | P1 | better | the same for `async for`
stream.close | P1 | better | closing the session stops the run and its spending
plot | P1 | better | one HTML file that needs no network; SVG and Mermaid as well
flow_definition | P1 | same | a typed definition, `schema: crewai.flow/v1`, that can be written as JSON
build_flow_structure | P1 | same | nodes and edges
visualize_flow_structure | P1 | better | writes the HTML page of `plot`; takes the flow or its class
from_declaration | P1 | better | flows in YAML or JSON, by path, text or dict; what is wrong is said with file, line and key before anything runs
remember | P1 | absent | memory: also `recall`, `extract_memories`
flow_config | P1 | same | `hitl_provider`, `input_provider` for the whole process; in `with Runtime(…):` for that runtime
input_files | P1 | warned | files as inputs
""",
)

FLOWING = table(
    "What happens in a flow",
    "flowing",
    """
starts | P0 | same | unconditional starts run side by side; without one, all starts are entry points
inherits | P0 | better | a subclass has its parents' methods; overridden without a decorator one is none of the flow's
sync_methods | P0 | better | `def` methods run side by side in 64 threads
order | P0 | same | routers first, one at a time, then the routers of their labels, then the listeners of each trigger in turn
labels | P0 | same | an Enum's value, else the text of what was returned; `None` is no label
argument | P0 | same | a listener gets the trigger's result, a label's what the router returned, a chained router the original
and_fires | P0 | same | once all are there, with the last result; then again in a cycle
or_fires | P0 | same | once, with the first
or_armed_again | P0 | same | by a cycle, or by a label that it names
race | P0 | better | listeners that only one `or_` waits for race; the losers are cancelled
race_all_fail | P0 | better | when all racers fail the flow fails
definition_errors | P0 | better | a listener on itself or on nothing, a flow without a start: refused when the flow is made, by name
failure | P0 | better | a method's exception is raised as it was, after the methods beside it were cancelled and awaited
result | P0 | same | what the method that completed last returned
again | P0 | same | kicked off again, an object keeps its state and its id
hooks | P0 | same | before and after each method, around the kickoff; `HookAborted` forbids
resume | P0 | better | a run that failed or was killed goes on with the method that did not finish; siblings, joins and state are as they were
steps | P0 | better | `self.step`, `self.astep`: work that is not done twice
retry | P1 | better | `@listen(x, retry=Retry(…))`: a method is called again with the state that it found
state.untyped | P0 | same | a dict with an `id`
state.typed | P0 | same | a model; `id` is added where it has none
state.inputs | P0 | same | inputs are set or validated; unknown ones are ignored by a model
state.bad_inputs | P0 | same | `ValueError: Invalid inputs for structured state`, before anything runs
state.trigger_payload | P1 | same | `crewai_trigger_payload` among the inputs is given to start methods that have a parameter of that name
persist.before_listeners | P0 | same | the state is saved before a listener starts
persist.methods | P0 | same | on methods: after those alone
persist.by_id | P0 | same | `inputs={"id": …}`: the saved state, then the other inputs; an unknown id is kept
persist.goes_on | P0 | better | an unfinished run of that state goes on with the method that failed
persist.restore | P0 | better | `restore_from_state_id`: a copy under an id of its own; not both with `from_checkpoint`
persist.nearest | P0 | same | the object's backend, the method's, the class's, the factory's, the journal
persist.fails | P0 | same | a save that fails fails its method: `RuntimeError: State persistence failed`
""",
)

TOOLS = table(
    "Tools",
    "tool",
    """
base_tool | P0 | same | `BaseTool`: name, description, `args_schema` or the signature of `_run`; `_arun`, `async def _run`
decorator | P0 | same | `@tool`, `@tool("name")`, `@tool(…)`; `def` or `async def`; a docstring is required
names | P0 | same | models see `[a-z0-9_]`, at most 64 characters
arguments | P0 | same | checked and converted by the schema; what is wrong is told to the model
run | P0 | same | `run`, `arun`: a direct call
result_as_answer | P0 | same | the result is the agent's final answer
max_usage_count | P0 | same | counted under a lock; beyond it the model is told; `reset_usage_count`
structured_output | P0 | same | `output_pydantic`, `output_json`, `response_model`, `response_format`
guardrails | P0 | same | functions, one or several
kickoff_callbacks | P0 | same | before and after a kickoff, `def` or `async def`
mcp | P0 | same | `MCPServerStdio`, `MCPServerHTTP`, `MCPServerSSE`, filters, addresses
mcp.adapter | P0 | same | `MCPServerAdapter`: a program, an address or several, tools by name
failures | P1 | same | `ToolFailure`, `ToolFailurePolicy`, `ToolExecutionFailedError`, `ToolFailureRecord`
llm_guardrail | P1 | same | `LLMGuardrail`, and words in a `guardrail=`
hallucination_guardrail | P1 | same | `HallucinationGuardrail`: passes everything, and says so
""",
)

MODELS = table(
    "Models",
    "llm",
    """
openai | P0 | same | `LLM("gpt-4o-mini")`, with CrewAI's arguments
anthropic | P0 | same | `LLM("anthropic/claude-…")`
compatible | P0 | same | any address that speaks OpenAI's language: `base_url=`, `custom_openai=`, prefixes
custom | P0 | same | a subclass of `BaseLLM` with `call` or `acall`; further arguments are kept
sampling | P0 | same | temperature, top_p, max_tokens, stop, seed, penalties, reasoning_effort reach the request
call | P0 | same | `call` and `acall`, with tools and `response_model`; a step of the run around it
text_tools | P0 | same | a model without tool calling is given its tools in the prompt
usage | P0 | better | counted per run, task, agent and call, from what the provider reports
providers | P1 | same | azure, gemini, bedrock, openrouter, deepseek, ollama, hosted_vllm and others by their prefix
litellm | P1 | absent | models that only LiteLLM knows
""",
)

HUMAN = table(
    "People",
    "human",
    """
feedback.result | P0 | same | `@human_feedback`: listeners are given a `HumanFeedbackResult`; `last_human_feedback`, `human_feedback_history`
feedback.emit | P0 | better | a model finds the label that the words come to: recorded, counted, asked once; a label said outright costs no call
feedback.fallbacks | P0 | same | a structured answer, a plain one, the label in it, the first label; a model that cannot be asked is an error
feedback.default_outcome | P0 | same | nothing said: `default_outcome`, else the first label
feedback.real_output | P0 | same | with `emit` the flow's result is what the method returned
feedback.label_listener | P0 | better | a label's listener is given the feedback only of its own router
feedback.validation | P0 | same | what does not fit together is a `ValueError` at the decoration
feedback.provider | P0 | same | the decorator's, `flow_config.hitl_provider`, the console
feedback.console | P0 | same | `ConsoleProvider`: the output, the message, a line that is read
feedback.pending | P0 | better | `HumanFeedbackPending` is returned; state, completed methods and half-filled joins are kept; what is beside the question goes on
feedback.replay | P0 | better | a replay has the person's answer from the record
from_pending | P0 | better | by the flow's id, in any process; `persistence=` is not needed
resume | P0 | better | `resume`, `resume_async`; of two that answer one wins, the other gets `AlreadyResumed`
ask | P0 | better | `Flow.ask`: a text through `input_provider`, recorded: a resumed run does not ask again
ask.pending | P0 | better | without anybody there the run waits, and goes on in another process
ask.none | P0 | same | a provider that fails is None
ask.timeout | P0 | same | None after `timeout` seconds
ask.provider | P0 | same | the flow's, `flow_config.input_provider`, the console; `InputResponse`
task_waiting | P0 | better | `human_input` without a console: `RunWaiting`, answered from any process
waits | P0 | better | a wait outlives its process; racing answers: one counts, the others get `AlreadyAnswered`
timeout | P1 | better | `timeout_s`: after it the default outcome counts
""",
)

AROUND = table(
    "Around it",
    "around",
    """
event_bus | P0 | same | `on`, `emit`, `scoped_handlers`, `off`, `flush`; `BaseEventListener`
depends | P1 | same | `on(Event, Depends(other))`: called after it; circles are refused when they are registered
event_order | P0 | better | handlers hear their own run's events in order; one that fails is told and recorded, not dropped
event_names.crews | P0 | same | kickoff, task, agent execution: started, completed, failed
event_names.calls | P0 | same | model calls, stream chunks, tool usage, tool failures, guardrails
event_names.flows | P0 | same | flows and their methods: created, started, finished, failed
event_names.people | P0 | same | human feedback and flow input: requested, received; flows and methods: paused
crew_base | P0 | same | `@CrewBase` with `@agent`, `@task`, `@crew` and the other decorators
crew_base.yaml | P0 | better | `agents.yaml`, `tasks.yaml`, names in them resolved to methods; a mistake is said with file, line and key before anything is asked
llm_hooks | P1 | same | `@before_llm_call`, `@after_llm_call`: change, forbid, replace
tool_hooks | P1 | same | `@before_tool_call`, `@after_tool_call`: change, forbid, replace
interception | P1 | same | `on(point)`, `dispatch`, `HookAborted`, `scoped_hooks`
planning | P1 | same | of crews and agents
prompts | P1 | absent | `prompt_file`, other languages: templates of agents are there
memory | P1 | absent | `Memory`
knowledge | P1 | absent | `Knowledge` and its sources
skills | P1 | absent | skills
json_projects | P1 | absent | `crew.jsonc`
flow_declaration | P1 | same | actions `code`, `tool`, `crew`, `agent`, `expression`, `each`; scripts are refused; state as dict, model, JSON Schema
security | P1 | better | `SecurityConfig`, `Fingerprint`: uuid, `metadata`, `generate(seed)`; reached by `security_config.fingerprint` (`Crew.fingerprint` is the definition's hash)
""",
)

COMMANDS = table(
    "Commands",
    "cli",
    """
create.crew | P0 | same | `jackstay create crew NAME`: a project that runs at once
create.flow | P0 | same | `jackstay create flow NAME`: a flow with a crew in it
run | P0 | same | `jackstay run`: projects of CrewAI's template, scripts, objects; `--inputs`
run.definition | P1 | same | `jackstay run --definition flow.yaml`
replay | P0 | better | `jackstay replay`: a task of any run
log_tasks_outputs | P0 | better | `jackstay log-tasks-outputs`: tasks of all runs, with the ids for a replay
flow.plot | P0 | same | `jackstay flow plot`
flow.kickoff | P0 | same | `jackstay flow kickoff`: it is `jackstay run`
flow.add_crew | P0 | same | `jackstay flow add-crew NAME`: another crew in a flow's project
checkpoint.list | P0 | better | every run, and what of it has completed
checkpoint.info | P0 | better | what a checkpoint has, and what would run from it
checkpoint.resume | P0 | better | goes on behind any task or method
checkpoint.prune | P0 | better | deletes old ones, and only with a rule given; what others need stays
version | P1 | same | `jackstay version`
install | P1 | absent | also `update`: pip or uv does that
reset_memories | P1 | absent | memory
config | P1 | absent | also `env`, `traces`: nothing is sent anywhere
""",
)
