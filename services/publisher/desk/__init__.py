"""The editors' desk: API and pages."""
