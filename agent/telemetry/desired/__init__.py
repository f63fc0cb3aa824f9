"""What the fleet wants of this terminal, taken and tried. Loaded only where the fleet has keys."""
