"""The moderators' desk: API and pages."""
