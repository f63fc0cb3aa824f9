"""`posagent-actions`: the few things that need rights the agent does not have, and nothing else.

A program of its own, run as root and only while it is asked (socket activation). It knows the seven
verbs of the hook contract; each is one executable of the vendor's in actions.d. It reads no
configuration file, opens no network, and takes no command line from anybody. The agent is merely
the one client it lets in; `agent` never imports it.
"""
