"""What a volunteer can do with the own account: see it, take all of it away as a file, delete it."""
