"""What publisher keeps of people, and how it lets go of it."""
