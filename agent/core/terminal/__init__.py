"""The terminal over time: what its clock is worth, what it and its payment app lived through."""
