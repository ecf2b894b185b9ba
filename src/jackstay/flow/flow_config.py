"""Who asks people in all flows of this process: `flow_config.hitl_provider`, `flow_config.input_provider`."""

from jackstay.engine.people import FlowConfig, flow_config

__all__ = ["FlowConfig", "flow_config"]
