"""What follows objects through time: the motion filter, who is who, birth and death. NumPy alone, no torch."""
