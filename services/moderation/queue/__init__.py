"""Who reviews what next: reading the queue, claims and their leases."""
