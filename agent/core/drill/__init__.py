"""The outage drill: what its steps are, what they came to, and in which words. Pure."""
