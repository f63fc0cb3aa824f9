"""Health: readings in, conditions out. It does not know printers, sockets or files."""
