"""What can be wrong with a keypad, as conditions. Joined to the others in `standard`.

The watcher tells classes and counts; a key that is down for 10 s is recorded and for 30 s shown:
until then it may be a bag on the counter or a display being cleared.
"""

from __future__ import annotations

from agent.core.health.conditions import Condition, Severity, Sign, at_least, holds, says

#: So many presses that came twice within a minute are the contact's doing.
BOUNCES = 3
_GONE = "keypad.disconnected"

KEYPAD = (
    Condition(
        code=_GONE,
        severity=Severity.MAJOR,
        signs=(Sign(component="keypad", judge=holds("present", False), args=("device",)),),
        visible_after_s=10,
        clear_after_s=2,
    ),
    Condition(
        code="keypad.stuck_key",
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="keypad",
                judge=says("stuck", "suspected", "confirmed"),
                args=("key_class",),
            ),
        ),
        depends_on=(_GONE,),
        visible_after_s=20,
        # After a PIN was entered or the plug moved, a stuck key is stuck for 10 s anew.
        clear_after_s=20,
    ),
    Condition(
        code="keypad.chatter",
        severity=Severity.MINOR,
        signs=(
            Sign(
                component="keypad",
                judge=at_least("bounces_last_minute", BOUNCES),
                args=("key_class", "count"),
            ),
        ),
        depends_on=(_GONE,),
        clear_after_s=1_800,  # it bounces only while somebody types
    ),
    Condition(
        code="keypad.dead_keys",
        severity=Severity.MINOR,
        signs=(
            Sign(component="keypad", judge=at_least("dead_keys", 1), args=("key_class", "count")),
        ),
        depends_on=(_GONE,),
    ),
)
