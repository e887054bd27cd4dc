"""What metrics keeps of people: numbers."""
