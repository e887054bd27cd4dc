"""How many people, countries and submissions there are."""
