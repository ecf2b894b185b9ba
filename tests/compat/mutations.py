"""How each promised behaviour is switched off, for `make mutants`: a text of a file of src that stands there exactly once, and
what stands there instead. The tests that prove the row have to fail then."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    file: str
    """Below src/jackstay."""
    old: str
    new: str


LOOP, TASK, TOOL = "engine/agent_loop.py", "engine/task.py", "engine/tool_call.py"
FEEDBACK = "engine/feedback.py"
FLOW, GRAPH, PERSISTENCE = "flow/flow.py", "core/flow_graph.py", "flow/persistence.py"
PROMPTS, TEAM, CREW = "core/prompts.py", "crew/team.py", "crew/crew.py"
FILLED_IN_PLACE = Mutation(
    "crew/task.py",
    "return interpolate(getattr(self, field), inputs, field=field, owner=owner)",
    "setattr(self, field, interpolate(getattr(self, field), inputs, field=field, owner=owner))\n"
    "            return getattr(self, field)",
)
IDS_ARE_OURS = '    _id_is_ours = field_validator("id", mode="before")(accepted.refuse_id)\n'
OWN_SECURITY, SHARED_SECURITY = "Field(default_factory=SecurityConfig)", "Field(default=SecurityConfig())"
KICKOFF = "crew/running.py"
AFTER, ALONE, COPYING = "crew/afterwards.py", "crew/alone.py", "crew/copying.py"

MUTATIONS = {
    # --- agents ---
    "agent.role": Mutation(PROMPTS, "You are {agent.role}. {agent.b", "You are somebody. {agent.b"),
    "agent.goal": Mutation(PROMPTS, "\\nYour personal goal is: {agent.goal}", "\\nYou have a goal."),
    "agent.backstory": Mutation(PROMPTS, ". {agent.backstory}\\n", ".\\n"),
    "agent.id": Mutation(
        "crew/accepted.py",
        '    raise PydanticCustomError("may_not_set_field"',
        '    return value\n    raise PydanticCustomError("may_not_set_field"',
    ),
    "agent.llm": Mutation("llm/llm.py", "if isinstance(llm, Mapping):", "if False:"),
    "agent.tools": Mutation(LOOP, "self.tools = {tool.spec.name: tool for tool in tools}", "self.tools = {}"),
    "agent.max_iter": Mutation(LOOP, "in range(self.agent.max_iter):", "in range(self.agent.max_iter + 1):"),
    "agent.max_rpm": Mutation(
        "crew/base_agent.py", 'limit=max_rpm_limit("agent", self.role, self.outline, self.max_rpm)', "limit=None"
    ),
    "agent.max_retry_limit": Mutation(LOOP, "if scope.retried > self.agent.max_retry_limit:", "if scope.retried > 0:"),
    "agent.max_execution_time": Mutation(TASK, "self.scope.bound(deadline_s=self.agent.max_execution_time_s)", "pass"),
    "agent.allow_delegation": Mutation(TEAM, "any(agent.allow_delegation for agent in agents)", "False"),
    "agent.step_callback": Mutation(LOOP, "await call_user(self.scope, callback, step)", "pass"),
    "agent.tool_failure_policy": Mutation(
        "crew/agent.py", "tool_failure_policy=self.tool_failure_policy,", "tool_failure_policy=None,"
    ),
    "agent.respect_context_window": Mutation(
        "engine/fitting.py", "if self._most is None or tokens_of(", "if True or tokens_of("
    ),
    "agent.planning": Mutation("engine/planning.py", "    if planning is None:\n", "    if True:\n"),
    "crew.planning": Mutation("engine/planning.py", "    if planner is None:\n", "    if True:\n"),
    "agent.response_template": Mutation(PROMPTS, 'if mark in (agent.response_template or ""):', "if False:"),
    "agent.execute_task": Mutation("crew/base_agent.py", "own=self._own_execution(texts) if own else None", "own=None"),
    "agent.use_system_prompt": Mutation(PROMPTS, "if not agent.use_system_prompt:", "if False:"),
    "agent.system_template": Mutation(PROMPTS, "if agent.system_template:", "if False:"),
    "agent.prompt_template": Mutation(
        PROMPTS, "_fill_template(agent.prompt_template, user) if agent.prompt_template else user", "user"
    ),
    "agent.inject_date": Mutation("engine/dates.py", "if not agent.inject_date:", "if True:"),
    "agent.date_format": Mutation("engine/dates.py", "began.at.strftime(form)", 'began.at.strftime("%Y-%m-%d")'),
    # --- tasks ---
    "around.security": Mutation("crew/security.py", "uuid.uuid5(uuid.NAMESPACE_OID, seed)", "uuid.uuid4()"),
    "agent.security_config": Mutation("crew/base_agent.py", OWN_SECURITY, SHARED_SECURITY),
    "task.security_config": Mutation("crew/task.py", OWN_SECURITY, SHARED_SECURITY),
    "crew.security_config": Mutation(CREW, OWN_SECURITY, SHARED_SECURITY),
    "around.depends": Mutation("events/order.py", "_place(each, known, placed, (*waiting, one))", "pass"),
    "agent.tools_results": Mutation(AFTER, 'may_become(self.role, row.agent or "")', "self.role == row.agent"),
    "agent.crew": Mutation(AFTER, "crew=record.crew or before", "crew=before"),
    "task.counters": Mutation(AFTER, 'row.path == self.path or row.path.startswith(f"{self.path}/")', "True"),
    "task.prompt_context": Mutation(
        TASK, '"began_at": self.began.at, "context": self.context}', '"began_at": self.began.at}'
    ),
    "task.copy": Mutation(COPYING, 'changed["agent"] = agent_for(task.agent)', "pass"),
    "task.prompt": Mutation(ALONE, "spec.given_context if context is None else context)", '"")'),
    "task.execute_sync": Mutation(ALONE, "replace(spec, context=(), given_context=context)", "spec"),
    "task.interpolate": Mutation(
        ALONE,
        "for field, text in self._unfilled.items()",
        "for field, text in [(f, getattr(task, f)) for f in _FILLED]",
    ),
    "task.execution_duration": Mutation(
        AFTER, "result.began_at + timedelta(seconds=result.duration_s)", "result.began_at"
    ),
    "crew.token_usage": Mutation(CREW, "        return self.usage_metrics\n", "        return None\n"),
    "crew.calculate_usage_metrics": Mutation(
        CREW, "self.usage_metrics.model_copy() if self.usage_metrics is not None else", ""
    ),
    "task.description": Mutation(PROMPTS, "Current Task: {task.description}", "Current Task: do it"),
    "task.expected_output": Mutation(PROMPTS, "criteria for your final answer: {task.expected_output}", "criteria."),
    "task.name": Mutation("crew/output.py", "name=result.name or result.description,", "name=result.description,"),
    "task.context": Mutation("core/tasks.py", "indexes = task.context\n", "indexes = sorted(outputs)\n"),
    "task.tools": Mutation(TASK, "agent.tools_for(self.task.tools)", "agent.tools_for(())"),
    "task.async_execution": Mutation("core/tasks.py", "        if task.async_execution:\n", "        if False:\n"),
    "task.output_pydantic": Mutation(
        "crew/output.py", 'pydantic=final.value if final.form == "pydantic" else None', "pydantic=None"
    ),
    "task.output_json": Mutation("crew/task.py", "json_form=self.output_json is not None", "json_form=False"),
    "task.output_file": Mutation(TASK, "if self.task.output_file:", "if False:"),
    "task.create_directory": Mutation(TASK, "if task.create_directory:", "if True:"),
    "task.callback": Mutation(
        "crew/task.py", "for c in (self.callback, *extra_callbacks) if", "for c in extra_callbacks if"
    ),
    "task.guardrail": Mutation(
        "crew/guardrails.py", "return Verdict(passed=False, error=", "return Verdict(passed=True, error="
    ),
    "task.guardrails": Mutation(
        "engine/guardrails.py", "in enumerate(task.guardrails):", "in enumerate(task.guardrails[:1]):"
    ),
    "task.guardrail_max_retries": Mutation(
        "engine/guardrails.py", "asked_again >= task.guardrail_max_retries", "asked_again >= 1"
    ),
    "task.output": Mutation(
        AFTER,
        "task.output, task.start_time = TaskOutput.of(result), result.began_at",
        "task.start_time = result.began_at",
    ),
    "task.conditional": Mutation(TASK, "return bool(decided)", "return True"),
    "task.markdown": Mutation(PROMPTS, "if task.markdown:", "if False:"),
    "task.task_output": Mutation(
        "crew/output.py", "output_format=OutputFormat(result.form)", "output_format=OutputFormat.RAW"
    ),
    "task.tool_failure_policy": Mutation(
        "crew/task.py",
        "replace(agent, tool_failure_policy=self.tool_failure_policy) if self.tool_failure_policy else agent",
        "agent",
    ),
    # --- crews ---
    "crew.process": Mutation(TEAM, 'return crew.process == "hierarchical"', "return False"),
    "crew.manager_llm": Mutation(TEAM, "llm=crew.manager_llm,", 'llm="sim/demo",'),
    "crew.manager_agent": Mutation(TEAM, "    return crew.manager_agent\n", "    return crew.agents[0]\n"),
    "crew.name": Mutation("crew/running.py", "        name=crew.name,\n", '        name="crew",\n'),
    "crew.step_callback": Mutation(
        TEAM, "if agent.step_callback is None and crew.step_callback is not None:", "if False:"
    ),
    "crew.task_callback": Mutation(
        TEAM, "callbacks = (common,) if common is not None", "callbacks = () if common is not None"
    ),
    "crew.before_kickoff_callbacks": Mutation(
        "engine/kickoff_callbacks.py", "        known = changed\n", "        pass\n"
    ),
    "crew.after_kickoff_callbacks": Mutation(
        "engine/kickoff_callbacks.py", "result = replace(result, replaced=port.rebuild(left))", "pass"
    ),
    "crew.max_rpm": Mutation(CREW, 'max_rpm_limit("crew", self.name, self.outline, self.max_rpm)', "None"),
    "crew.usage_metrics": Mutation("crew/running.py", "crew.usage_metrics = output.token_usage", "pass"),
    "crew.copy": Mutation(COPYING, "tasks.get(id(other), other)", "other"),
    "crew.fetch_inputs": Mutation(
        CREW, "return {name for text in texts for name in placeholders(text)}", "return set()"
    ),
    "crew.output_log_file": Mutation(CREW, 'path = "logs.txt" if', 'return None\n        path = "logs.txt" if'),
    "crew.crew_output": Mutation(
        "crew/output.py", "if self.pydantic is not None and hasattr(self.pydantic, key):", "if False:"
    ),
    "crew.usage_metrics_object": Mutation(
        "crew/output.py", "getattr(self, name) + getattr(other, name)", "getattr(self, name)"
    ),
    "crew.validation.missing_agent": Mutation(TEAM, "            if task.agent is None:", "            if False:"),
    "crew.validation.manager": Mutation(
        TEAM, "if any(agent is crew.manager_agent for agent in crew.agents):", "if False:"
    ),
    "crew.validation.async_end": Mutation(
        "crew/task.py", "if len(tasks) > 1 and tasks[-1].async_execution and", "if False and"
    ),
    "crew.validation.async_context": Mutation(
        "crew/task.py", "if at >= 0 and task.async_execution and", "if False and"
    ),
    "crew.validation.future_context": Mutation("crew/task.py", "            if at >= index:", "            if False:"),
    "crew.validation.conditional": Mutation("crew/task.py", "    if tasks[0].conditional:", "    if False:"),
    # --- what happens in a run ---
    "run.interpolation": Mutation(
        "core/interpolation.py", r'r"\{([A-Za-z_][A-Za-z0-9_\-]*)}"', r'r"\{\s*([A-Za-z_][A-Za-z0-9_\-]*)\s*}"'
    ),
    "run.interpolation.values": Mutation("core/interpolation.py", "if not isinstance(inputs, Mapping):", "if False:"),
    "run.interpolation.missing": Mutation("core/interpolation.py", "if found[1] not in inputs:", "if False:"),
    "run.context.join": Mutation(
        "core/tasks.py", "sorted(i for i in outputs if i < index)", "sorted(i for i in outputs if i < index)[-1:]"
    ),
    "run.context.async": Mutation("core/tasks.py", "() if task.async_execution else sorted(", "sorted("),
    "run.final_output": Mutation(
        "core/tasks.py", "for index, raw in outputs.items() if raw]", "for index, raw in outputs.items()]"
    ),
    "run.callback_order": Mutation(
        "crew/task.py", "c in (self.callback, *extra_callbacks)", "c in (*extra_callbacks, self.callback)"
    ),
    "run.output.correction": Mutation(LOOP, "if self.unfit > OUTPUT_TRIES:", "if True:"),
    "run.output.lenient": Mutation("crew/forms.py", "return json.dumps(lenient, ensure_ascii=False)", "continue"),
    "run.output.file_form": Mutation(TASK, "result.raw if result.data is None else", "result.raw if True else"),
    "run.guardrail.verdicts": Mutation(
        "crew/guardrails.py", "case (True, said) if said is not None:", "case (True, said):"
    ),
    "run.guardrail.signature": Mutation(
        "crew/guardrails.py", "if len(required) > 1 or not takes_output", "if False and not takes_output"
    ),
    "run.errors.agent": Mutation(LOOP, "if isinstance(error, JackstayError | TimeoutError) or", "if"),
    "run.max_iter.debris": Mutation(LOOP, "if answer.tool_calls or react.is_debris(text):", "if False:"),
    "run.delegation.names": Mutation("core/delegation.py", ".casefold()", ""),
    "run.delegation.tools": Mutation("core/delegation.py", '"enum": list(others), ', ""),
    "run.tool_errors": Mutation("engine/tool_failure.py", "run.tool_failures.append(record)", "pass"),
    "run.tool_cache": Mutation("engine/tool_cache.py", "if row is None or (now", "if True or (now"),
    "run.for_each.isolation": Mutation("engine/batch.py", "ended = _failed(error, entered)", "raise"),
    # --- tools and models ---
    "tool.result_as_answer": Mutation(TOOL, "self.tool is not None and self.tool.result_as_answer", "False"),
    "tool.max_usage_count": Mutation(TOOL, "if tool.claim is not None and not tool.claim():", "if False:"),
    "tool.failures": Mutation("engine/tool_failure.py", "if policy is ToolFailurePolicy.RAISE:", "if False:"),
    "llm.text_tools": Mutation(LOOP, "described = () if self.native else", "described = () if True else"),
    "llm.sampling": Mutation("llm/llm.py", "temperature=temperature,\n", "temperature=None,\n"),
    "llm.custom": Mutation("llm/base_llm.py", "if type(self).acall is not BaseLLM.acall", "if False"),
    "crew.verbose": Mutation("observe/account.py", "        while tag in used:\n", "        while False:\n"),
    "agent.verbose": Mutation("crew/base_agent.py", "            verbose=self.verbose,\n", ""),
    # --- agents alone, tools, servers, hooks, events ---
    "agent.kickoff": Mutation(
        "crew/agent_kickoff.py", "usage_metrics=UsageMetrics.of(outcome.bill).model_dump()", "usage_metrics={}"
    ),
    "agent.config": Mutation("crew/configured.py", "return kept | {name: value for", "return kept | {name: None for"),
    "task.config": Mutation("crew/configured.py", "    return kept | config\n", "    return kept\n"),
    "agent.guardrail": Mutation(
        "crew/agent_kickoff.py", "guardrails=tuple(guardrail_def(each) for each in judges)", "guardrails=()"
    ),
    "agent.copy": Mutation("crew/base_agent.py", '"tools": list(self.tools)', '"tools": self.tools'),
    "agent.key": Mutation(
        "crew/base_agent.py", '"|".join((self.role, self.goal, self.backstory))', '"|".join((self.role, self.goal))'
    ),
    "tool.mcp": Mutation(
        "tools/mcp/filters.py", "return bool(await said if inspect.isawaitable(said) else said)", "return True"
    ),
    "tool.mcp.adapter": Mutation(
        "tools/mcp/adapter.py", "StaticToolFilter(allowed=tool_names) if tool_names", "None if True"
    ),
    "tool.names": Mutation("tools/naming.py", "name.strip().lower()", "name.strip()"),
    "tool.llm_guardrail": Mutation("crew/llm_guardrail.py", "    if result.valid:\n", "    if True:\n"),
    # --- people ---
    "task.human_input": Mutation("crew/task.py", "human_input=self.human_input,", "human_input=False,"),
    "run.human_input.loop": Mutation("engine/reviewing.py", "answer = await ask_again(", "return await ask_again("),
    "human.feedback.emit": Mutation(FEEDBACK, "found = _outcome_in(said, spec.emit) or", "found = None and"),
    "human.feedback.fallbacks": Mutation(FEEDBACK, "        found = spec.emit[0]\n", "        found = spec.emit[-1]\n"),
    "human.feedback.default_outcome": Mutation(
        FEEDBACK, "return spec.default_outcome or spec.emit[0]", "return spec.emit[0]"
    ),
    "human.feedback.real_output": Mutation("engine/flow.py", "value.output if spec.emit else value", "value"),
    "human.feedback.provider": Mutation(
        FEEDBACK, 'spec.provider or flow_config.said_in(scope.run.runtime, "hitl_provider")', "spec.provider"
    ),
    "human.feedback.pending": Mutation(
        "engine/flow.py", "if isinstance(error, RunSuspended) and self.run.stop is None:", "if False:"
    ),
    "human.resume": Mutation("flow/pausing.py", "raise AlreadyResumed(str(error)) from error", "return"),
    "human.ask": Mutation("engine/waiting.py", "    if row is not None:\n", "    if False:\n"),
    "human.ask.timeout": Mutation(
        "engine/asking.py",
        "    return Answer(None)\n\n    async def _said",
        "    return Answer('')\n\n    async def _said",
    ),
    "human.waits": Mutation("journal/waits.py", "        .where(wait.c.answered_at.is_(None))\n", ""),
    "human.timeout": Mutation(
        "journal/waits.py",
        "in_time = or_(wait.c.deadline.is_(None), wait.c.deadline > clock)",
        "in_time = wait.c.rev > 0",
    ),
    "human.task_waiting": Mutation(
        "engine/people.py", "return console.is_there(scope", "return not console.is_there(scope"
    ),
    "around.event_names.people": Mutation("events/translate.py", '"wait_answered": of_waits.wait_answered,', ""),
    "around.event_bus": Mutation("events/bus.py", "            self._set({})\n", "            pass\n"),
    "around.event_order": Mutation("events/bus.py", 'failed(f"the handler {name}', 'str(f"the handler {name}'),
    "around.crew_base": Mutation(
        "project/decorators.py", "return marked(once(method), kind)", "return marked(method, kind)"
    ),
    "around.crew_base.yaml": Mutation("project/sections.py", "if key not in self._form.keys:", "if False:"),
    "cli.create.crew": Mutation(
        "cli/creating.py", 'text + (f"# {_OUR_KEY}=sim/demo\\n" if keyed', 'text + (f"# {_OUR_KEY}=sim/demo\\n" if True'
    ),
    "around.tool_hooks": Mutation(
        "engine/tool_hooks.py", "return call if changed is None else", "return call if True else"
    ),
    "run.usage.own": Mutation("engine/batch.py", "scope.run.bills.own(scope.path))", "NO_BILL)"),
    "llm.usage": Mutation(
        "engine/delegation.py", "own = scope.child(scope.path, agent=agent.role)", "own = scope.child(scope.path)"
    ),
    # --- flows ---
    "flow.initial_state": Mutation(
        FLOW,
        "return self.initial_state if self.initial_state is not None else self._state_type",
        "return self._state_type",
    ),
    "flow.persistence": Mutation(
        PERSISTENCE, "_store(_first(flow.persistence, mark.persistence,", "_store(_first(mark.persistence,"
    ),
    "flow.start": Mutation(
        "flow/decorators.py",
        "return marked(method, start=True, condition=parsed,",
        "return marked(method, start=True, condition=None,",
    ),
    "flow.listen": Mutation("flow/decorators.py", "takes = mark.takes and mark.condition is not None", "takes = False"),
    "flow.or_": Mutation(
        "flow/decorators.py", 'return AnyOf(_parsed(conditions, "or_"))', 'return AllOf(_parsed(conditions, "or_"))'
    ),
    "flow.and_": Mutation(
        "flow/decorators.py",
        'return AllOf(_parsed(conditions, "and_"))',
        'return AnyOf(_parsed(conditions, "and_"))',
    ),
    "flow.kickoff": Mutation("flow/running.py", "self.flow = flow if self._owns else copied(flow)", "self.flow = flow"),
    "flow.usage_metrics": Mutation(
        FLOW, "return UsageMetrics.of(self._outcome.bill) if self._outcome", "return UsageMetrics() if self._outcome"
    ),
    "flow.from_checkpoint": Mutation(FLOW, "origin_for_copy(config, anew=False)", "origin_for_copy(config, anew=True)"),
    "flow.fork": Mutation(
        FLOW, "origin_for_copy(config, anew=True, branch=branch)", "origin_for_copy(config, anew=False)"
    ),
    "flow.set_flow_persistence_factory": Mutation(
        PERSISTENCE, "_factory[:] = [] if factory is None else [factory]", "_factory[:] = []"
    ),
    "flow.SQLiteFlowPersistence": Mutation(PERSISTENCE, "order by id desc limit 1", "order by id limit 1"),
    "flow.visualize_flow_structure": Mutation("flow/visualization.py", "        start=start,\n", ""),
    "flow.from_declaration": Mutation("flow/declaration.py", "        takes=made.takes,\n", "        takes=False,\n"),
    "flow.flow_config": Mutation(
        "engine/people.py", "for runtime in around), self._of_process)", "for runtime in around[:0]), self._of_process)"
    ),
    "around.flow_declaration": Mutation("flow/actions.py", "if step.is_wanted(mine):", "if True:"),
    "cli.run.definition": Mutation("cli/target.py", "*_module_folders(Path(nearest_project(file.parent)))", ""),
    "flowing.result": Mutation("engine/flow.py", "        return self.last\n", "        return None\n"),
    "flowing.again": Mutation(
        "flow/running.py", "not flow._id_given and (flow._outcome is None or restore is not None)", "True"
    ),
    "flowing.resume": Mutation(
        "engine/flow.py",
        "call is None or self.run.find(row.path, _question(call)) is None or row.status",
        "True or row.status",
    ),
    "flowing.steps": Mutation("engine/own_step.py", "row = run.find(self.scope.path, self.question)", "row = None"),
    "flowing.sync_methods": Mutation("engine/settings.py", "pool_size: int = 64", "pool_size: int = 8"),
    "flowing.state.untyped": Mutation("flow/state.py", "return DictState(id=fresh_id())", "return DictState()"),
    "flowing.state.typed": Mutation("flow/state.py", 'if "id" in model.model_fields:', "if True:"),
    "flowing.state.inputs": Mutation("flow/state.py", "        state.update(inputs)\n", ""),
    "flowing.state.trigger_payload": Mutation(
        "flow/decorators.py",
        "inspect.signature(method).parameters.values() if p.name != PAYLOAD]",
        "inspect.signature(method).parameters.values()]",
    ),
    "flowing.persist.methods": Mutation(PERSISTENCE, "_mark_of(m.call) or of_class", "of_class"),
    "flowing.persist.before_listeners": Mutation(
        "engine/flow.py", "            await self.saver.save(scope, call.method)\n", ""
    ),
    "flowing.persist.by_id": Mutation("engine/persisting.py", "    if saved is not None:\n", "    if False:\n"),
    "flowing.persist.goes_on": Mutation(
        "flow/running.py", "state_id=asked if restore is None else None", "state_id=None"
    ),
    "flowing.persist.restore": Mutation("flow/running.py", "saving, restore or asked, of,", "saving, asked, of,"),
    "flowing.persist.nearest": Mutation(PERSISTENCE, "mark.persistence, around)) for name", "around)) for name"),
    "human.feedback.result": Mutation("engine/flow.py", "            self.flow.talk.history.append(value)\n", ""),
    "human.feedback.validation": Mutation(
        "flow/human_feedback.py", "if default is not None and default not in labels:", "if False:"
    ),
    "human.feedback.console": Mutation("flow/async_feedback/providers.py", 'return said.text or ""', 'return ""'),
    "flow.name": Mutation(FLOW, "return self.name or type(self).__name__", "return type(self).__name__"),
    "flow.tracing": Mutation(FLOW, '"stream", "tracing",', '"stream",'),
    "flow.max_method_calls": Mutation(GRAPH, "if count > limit and not", "if False and not"),
    "flow.router": Mutation(
        "flow/decorators.py", "labels = tuple(emit) if emit is not None else labels_of(method)", "labels = None"
    ),
    "flow.method_outputs": Mutation(
        "flow/running.py",
        "sorted(runtime.journal.steps(outcome.run_id), key=lambda row: row.seq)",
        "sorted(runtime.journal.steps(outcome.run_id), key=lambda row: -row.seq)",
    ),
    "flow.stream": Mutation("flow/streaming.py", "        event_bus.taps.append(self._emitted)\n", ""),
    "flow.stream.close": Mutation(
        "engine/streamed.py", "_call_soon(self._runtime.engine_loop.loop, work.cancel)", "pass"
    ),
    "flow.flow_definition": Mutation(
        "flow/definition.py", "emit=list(mark.emits) if mark.emits is not None else None", "emit=None"
    ),
    "flow.build_flow_structure": Mutation(
        "flow/definition.py", '"is_router_event": label is not None', '"is_router_event": False'
    ),
    "flow.plot": Mutation("flow/page.py", "data = json.dumps(methods,", "data = json.dumps({},"),
    "flowing.starts": Mutation(
        GRAPH, "starts = starts or [m.name for m in methods if m.start]", "starts = starts or []"
    ),
    "flowing.order": Mutation(GRAPH, "                    open_triggers.append(label)\n", ""),
    "flowing.labels": Mutation(GRAPH, "        result = result.value\n", "        pass\n"),
    "flowing.argument": Mutation(GRAPH, "triggers.append((label, outcome))", "triggers.append((label, result))"),
    "flowing.and_fires": Mutation(GRAPH, "                join.seen.clear()\n", ""),
    "flowing.or_fires": Mutation(GRAPH, "if name in self._fired:", "if False:"),
    "flowing.or_armed_again": Mutation(GRAPH, "self._fired.discard(name)", "pass"),
    "flowing.race": Mutation("engine/flow.py", "            other.cancel()\n", ""),
    "flowing.race_all_fail": Mutation(GRAPH, "if node.race is None or len(node.race) == 1:", "if node.race is None:"),
    "flowing.inherits": Mutation("flow/methods.py", "del marks[name]  #", "pass  #"),
    "flowing.definition_errors": Mutation(GRAPH, "if method.name in listens_to:", "if False:"),
    "flowing.failure": Mutation("engine/flow.py", "        for task in self.live:\n            task.cancel()\n", ""),
    "flowing.hooks": Mutation("engine/flow.py", "if is_wanted(scope, InterceptionPoint.PRE_STEP):", "if False:"),
    "flowing.retry": Mutation("engine/flow.py", "retried(scope, method.retry,", "retried(scope, None,"),
    "flowing.state.bad_inputs": Mutation("flow/state.py", "{**kept, **inputs}", "kept"),
    # --- the rest of agents, tasks and crews ---
    "agent.mcps": Mutation("crew/agent.py", "servers=tool_servers(self.mcps or (), self._owner),", "servers=(),"),
    "agent.checkpoint": Mutation("crew/accepted.py", '    "checkpoint": None,  # the journal', "    # the journal"),
    "agent.akickoff": Mutation(
        "crew/agent.py", "return await self.kickoff_async(messages,", 'return await self.kickoff_async("",'
    ),
    "agent.reasoning": Mutation("crew/agent.py", "reasoning=self.reasoning,", "reasoning=False,"),
    "agent.guardrail_max_retries": Mutation(
        "crew/agent_kickoff.py", "guardrail_max_retries=agent.guardrail_max_retries", "guardrail_max_retries=1"
    ),
    "task.id": Mutation("crew/task.py", IDS_ARE_OURS, ""),
    "task.agent": Mutation(TEAM, "            if task.agent is None:", "            if False:"),
    "task.key": Mutation("crew/task.py", "key_of(self.name or written or self.description)", "str(self.id)"),
    "task.response_model": Mutation(
        "crew/task.py",
        "self.output_pydantic or self.output_json or self.response_model",
        "self.output_pydantic or self.output_json",
    ),
    "crew.agents": Mutation(TEAM, "list(_once(*crew.agents, *(", "list(_once(*("),
    "crew.tasks": Mutation("core/tasks.py", "planned.append((index,))", "planned.insert(0, (index,))"),
    "crew.id": Mutation(CREW, IDS_ARE_OURS, ""),
    "crew.stream": Mutation("engine/streamed.py", "_call_soon(self._runtime.engine_loop.loop, work.cancel)", "pass"),
    "crew.checkpoint": Mutation("crew/accepted.py", '    "checkpoint": None,  # the journal', "    # the journal"),
    "crew.kickoff": Mutation(KICKOFF, "output = CrewOutput.of(outcome)", "output = CrewOutput()"),
    "crew.kickoff_async": Mutation(
        CREW, "return await self.akickoff(inputs, budget", "return await self.akickoff(None, budget"
    ),
    "crew.akickoff": Mutation(
        "engine/bridge.py", "return await asyncio.shield(waiting)", "return job.future.result(20)"
    ),
    "crew.kickoff_for_each": Mutation("engine/batch.py", "ended = _failed(error, entered)", "raise"),
    "crew.akickoff_for_each": Mutation(
        CREW, "return await self.akickoff_for_each(inputs,", "return await self.akickoff_for_each(inputs[:1],"
    ),
    "crew.replay": Mutation(
        CREW,
        "return replace(self._prepared(given, None, None, budget, deadline_s), replay=replay)",
        "return self._prepared(given, None, None, budget, deadline_s)",
    ),
    "crew.from_checkpoint": Mutation(CREW, "made._begins_at = origin", "pass"),
    "crew.fingerprint": Mutation(CREW, "return digest(self.outline())", "return digest([self.name])"),
    "crew.tool_failure_policy": Mutation(TEAM, "if agent.tool_failure_policy is None and", "if False and"),
    "crew.planning_llm": Mutation("crew/planning.py", "if crew.planning_llm is None else", "if True else"),
    "crew.validation.missing_keys": Mutation(CREW, "if not self.tasks:", "if False:"),
    # --- the rest of runs ---
    "run.interpolation.none": Mutation(KICKOFF, "    if not inputs:\n", "    if False:\n"),
    "run.interpolation.again": FILLED_IN_PLACE,
    "run.concurrent_kickoffs": FILLED_IN_PLACE,
    "run.async.join": Mutation(
        "core/tasks.py",
        "        if waiting:\n            planned.append(tuple(waiting))\n            waiting = []\n",
        "",
    ),
    "run.async.failure": Mutation(
        "engine/together.py", "raise several.exceptions[0] from several.exceptions[0].__cause__", "raise"
    ),
    "run.conditional.sees_last": Mutation("engine/crew.py", "results[max(results)]", "results[min(results)]"),
    "run.guardrail.raises": Mutation(
        "engine/guardrails.py",
        "said = await decision.ask(guardrail.call, task.presented(result))",
        "try:\n                said = await decision.ask(guardrail.call, task.presented(result))\n"
        "            except Exception as error:\n                said = (False, str(error))",
    ),
    "run.guardrail.context": Mutation(
        "engine/answering.py", "tools, task.output, after=answer.conversation)", "tools, task.output)"
    ),
    "run.hierarchical": Mutation(TEAM, "spec = replace(spec, meant_for=own.role)", "pass"),
    "run.replay.before": Mutation("engine/kickoff.py", "run.inherit(planned.copied)", "run.inherit([])"),
    "run.replay.inputs": Mutation(
        CREW,
        "given = {**runtime.masked.revealed_data(recorded), **check_inputs(inputs)}",
        "given = check_inputs(inputs)",
    ),
    "run.replay.unknown": Mutation(
        "errors.py", "class UnknownTask(NotFoundError, ValueError)", "class UnknownTask(NotFoundError)"
    ),
    "run.replay.pydantic": Mutation(
        TASK, 'task_from_json(body, load(body["data"]) if load else None)', "task_from_json(body, None)"
    ),
    "run.stream.chunks": Mutation("crew/streaming.py", 'if piece.kind == "tool_call":', "if False:"),
    "run.stream.result": Mutation("engine/streamed.py", "if not self._has_result or not self._ended:", "if False:"),
    # --- the rest of tools, models and events ---
    "tool.base_tool": Mutation("tools/base_tool.py", 'if hasattr(type(self), "_arun"):', "if False:"),
    "tool.decorator": Mutation("tools/base_tool.py", "        if not description:", "        if False:"),
    "tool.arguments": Mutation("tools/base_tool.py", "            arguments.validate,\n", "            dict,\n"),
    "tool.run": Mutation("tools/base_tool.py", "kwargs = arguments.validate(kwargs)", "pass"),
    "tool.structured_output": Mutation("crew/agent_kickoff.py", "        output=form,\n", ""),
    "tool.guardrails": Mutation(
        "engine/guardrails.py", "for place, guardrail in enumerate(task.guardrails):", "for place, guardrail in ():"
    ),
    "tool.kickoff_callbacks": Mutation(
        KICKOFF, "inputs = await call_before(scope, before, given) if before else given", "inputs = given"
    ),
    "llm.openai": Mutation("llm/llm.py", "                temperature=temperature,\n", ""),
    "llm.anthropic": Mutation("models/table.py", 'lazily(f"{_CLIENTS}.anthropic:connect")', "_openai"),
    "llm.compatible": Mutation("llm/llm.py", "base_url=base_url or api_base,", "base_url=None,"),
    "llm.call": Mutation("llm/llm.py", "if response_model is not None:", "if False:"),
    "around.event_names.crews": Mutation("events/translate.py", '    "task_failed": of_kickoffs.task_failed,\n', ""),
    "around.event_names.calls": Mutation("events/translate.py", '    "tool_failed": of_calls.tool_failed,\n', ""),
    "around.event_names.flows": Mutation(
        "events/translate.py", '    "method_failed": of_kickoffs.method_failed,\n', ""
    ),
}
