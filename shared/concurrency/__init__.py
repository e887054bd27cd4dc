"""Tasks of one process that share work or wait for each other."""
