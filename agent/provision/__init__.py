"""Keys and certificates of this terminal: a program of its own, never part of the daemon.

It needs `cryptography`, which weighs more than the daemon's whole idle memory; the extra
`provision` brings it.
"""
