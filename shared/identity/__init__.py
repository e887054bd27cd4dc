"""Who is asking: tokens, keys, signatures."""
