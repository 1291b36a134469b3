"""Schemas, data and figures of the regression tasks."""
