"""What moderation keeps of people, and how it lets go of it."""
