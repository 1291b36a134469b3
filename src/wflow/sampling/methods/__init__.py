"""Methods of ``sample``: each declares a flow, and how long to follow it."""
