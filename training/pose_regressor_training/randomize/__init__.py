"""Domain randomization: where the object is, how it is lit, what is behind and before it, what the camera adds."""
