"""The four services. They share events and clean media, and never import one another."""
