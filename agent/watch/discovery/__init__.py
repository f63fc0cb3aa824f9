"""What is attached to this terminal, whether anybody serves it, and who hears when it changes.

`sysfs` reads the kernel's description, `survey` judges it with the table `known`, `watcher` makes
the component `devices` of it, `hotplug` has watchers read when a device comes or goes.
"""
