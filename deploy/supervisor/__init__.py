"""One machine, no Docker: the environment, the supervisor and what it supervises."""
