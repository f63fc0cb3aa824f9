"""What a person can ask of the payments that wait: hold, retry, release, abandon, list, show."""
