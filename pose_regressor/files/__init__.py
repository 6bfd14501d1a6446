"""Files in and out. What is wrong with one is an InputError of one line that names its path."""
