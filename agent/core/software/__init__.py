"""What is installed against what should be, and how an update goes. Pure: nothing here touches a
file, a clock or a hook; `agent.watch.software` does."""
