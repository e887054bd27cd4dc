"""Short links: redirects that never fail, and clicks on their way to the bus."""
