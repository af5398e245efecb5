"""One zip with which a room can work without a network."""
