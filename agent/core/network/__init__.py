"""The network as questions to decide, without a socket: which channel carries the money now."""
