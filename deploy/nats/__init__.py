"""The brokers' configuration, and what of it is made for each deployment: users and their keys."""
