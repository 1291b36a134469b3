"""Transport analyses: the ensemble is moved to the posterior by a flow."""
