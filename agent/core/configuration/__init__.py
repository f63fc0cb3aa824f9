"""The terminal's settings against the profile it was issued."""
