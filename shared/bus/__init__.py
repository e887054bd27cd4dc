"""Events in and out: streams, consuming, the outbox."""
