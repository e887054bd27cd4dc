"""The channels, one file per kind."""
