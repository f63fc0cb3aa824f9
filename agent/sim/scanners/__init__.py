"""Simulated barcode scanners on pseudo terminals, one for each family of makers."""
