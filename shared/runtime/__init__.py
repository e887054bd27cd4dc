"""One process of a service."""
