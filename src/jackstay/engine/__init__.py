"""How a run runs: kickoffs, the agent loop, the model-call pipeline, tools, tasks, crews, flows.

Everything here is asynchronous and lives on the engine loop; users' code never does (`pool` and `home` run it).
"""
