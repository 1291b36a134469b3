"""Configs, methods, scores and figures of the filtering tasks."""
