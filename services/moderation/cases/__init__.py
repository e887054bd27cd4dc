"""Cases: their states, rules, documents, places in the queue and audit trail."""
