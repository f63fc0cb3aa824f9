"""The pure core: what the agent decides, with nothing of how it reads or writes.

No asyncio, sqlite3, socket, os, time, logging or random in here: time, drawn jitter and bytes
arrive as arguments. `tests/test_architecture.py` holds it to that.
"""
