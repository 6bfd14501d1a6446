"""Files, read and written. A problem with a file is an InputError of one line that begins with its path."""
