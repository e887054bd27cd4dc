"""Rules on text that every service shares."""
