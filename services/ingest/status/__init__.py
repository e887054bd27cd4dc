"""The ledger: what became of a submission, built from events."""
