"""The events by what they tell of; the same modules as CrewAI's."""
