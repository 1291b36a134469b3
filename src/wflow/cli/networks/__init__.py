"""Configs, problems and figures of the tasks on networks."""
