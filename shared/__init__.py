"""What every service shares: contracts, the bus, storage, identity, the face."""
