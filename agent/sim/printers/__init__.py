"""Simulated receipt printers: several dialects, several connections, every fault at a switch.

For demonstrations, tests and anyone who writes software for a printer that is not on the desk
(`posagent sim printer`, docs/hardware/simulators.md). Knows nothing of the agent and takes no
tables from it, so that the two can be tested against each other.

`conditions` says what can be wrong, the brains (`escpos`, `custom`, `star`) what is answered and
what is printed, `lines` how bytes get there, `usblp` what a kernel driver would show of it,
`printer` puts these together, and `orders` takes commands from another process.
"""
