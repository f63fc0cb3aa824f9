"""What the keys of [page] are for. A part of `agent.cli.config_reference`."""

from __future__ import annotations

from collections.abc import Mapping

TABLES: Mapping[str, str] = {
    "[page]": "Where the technician's page is served and by which ways a person gets at it; off "
    "unless listen, service_interface or service_address is given. docs/page.md, "
    "docs/technician.md.",
}

MEANINGS: Mapping[str, str] = {
    "page.listen": "Loopback address and port on which this terminal's own browser finds the page, "
    "such as 127.0.0.1:8470; port 0: a free one; empty: not served.",
    "page.token_file": "Secret for programs, at least 32 characters, readable by its owner only; "
    "made when it is not there. Empty: only codes sign in.",
    "page.token_roles": "What may be done with the token.",
    "page.open_read": "Reading on loopback without signing in; any app of the terminal could.",
    "page.idle_s": "A session ends when nothing is asked for so long.",
    "page.absolute_s": "A session ends after so long whatever is done.",
    "page.sessions_max": "Sessions at once; the one unused for longest makes room.",
    "page.max_connections": "Connections at once, beside those of [api].",
    "page.code_minutes": "How long a code may be used, once.",
    "page.service_interface": "Interface of the listener for a technician's laptop, such as usb0; "
    "opened by posagent page open only, or by a request at the terminal.",
    "page.service_address": "Its address: private, link-local or loopback; empty: the interface's.",
    "page.service_port": "Its port; 0: a free one.",
    "page.service_minutes": "It closes by itself after so long.",
    "page.service_tls": "With a certificate made for each opening; false only where nobody can "
    "listen in.",
    "page.keys": "Keys held together that print the diagnostic slip; needs [keypad]. Empty: none.",
    "page.keys_hold_s": "For how long.",
    "page.request_opens": "Whether a request at the terminal also opens the service listener, with "
    "its code on the slip.",
    "page.request_every_s": "At most one request by keys, hook or stick in this time.",
    "page.stick": "bundle: a USB stick with a file named posagent-bundle gets the support bundle.",
}

EXAMPLES: Mapping[str, str] = {
    "page.listen": '"127.0.0.1:8470"',
    "page.service_interface": '"usb0"',
}
