"""What ingest keeps of people, and how it lets go of it."""
