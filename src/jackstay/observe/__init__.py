"""Observe tells what a run does. It listens to events; it cannot change or fail a run."""
