"""Configs, terms and figures of the sampling tasks."""
