"""The payment app as a program: what its ends are worth, and when it may be started again."""
