"""Child processes, signals that end a process, and torchrun's ranks."""
