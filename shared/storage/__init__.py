"""The database and the object store. Nothing else knows their drivers."""
