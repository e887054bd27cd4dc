"""Resumable uploads (tus 1.0.0), from the first byte to the safety pass and the clean-up."""
