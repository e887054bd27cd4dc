"""Servers that stand in for channels: they judge what they are sent, show what they took, and fail on demand."""
