"""posagent: the agent that lives on a payment terminal.

The map of the house is docs/tour.md. Importing this package has no effects.
"""

__version__ = "0.1.0"
