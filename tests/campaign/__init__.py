"""The campaign of 2020 at one to one: sent through the running services, and judged from outside."""
