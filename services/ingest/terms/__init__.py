"""The terms that volunteers agree to, to be read in every language and version."""
