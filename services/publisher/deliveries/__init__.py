"""Deliveries: what is planned, sent, looked for and removed, as pure decisions and their documents."""
