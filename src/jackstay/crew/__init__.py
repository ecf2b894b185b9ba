"""Agents, tasks, crews."""

from jackstay.crew.agent import Agent
from jackstay.crew.base_agent import BaseAgent
from jackstay.crew.batch import CrewOutputs
from jackstay.crew.crew import Crew, Process
from jackstay.crew.output import CrewOutput, TaskOutput, UsageMetrics
from jackstay.crew.streaming import CrewStreamingOutput, StreamChunk, StreamChunkType
from jackstay.crew.task import ConditionalTask, Task

__all__ = [
    "Agent",
    "BaseAgent",
    "ConditionalTask",
    "Crew",
    "CrewOutput",
    "CrewOutputs",
    "CrewStreamingOutput",
    "Process",
    "StreamChunk",
    "StreamChunkType",
    "Task",
    "TaskOutput",
    "UsageMetrics",
]
