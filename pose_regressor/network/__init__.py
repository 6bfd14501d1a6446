"""The multi-task network, its configuration, the file it is kept in, and what runs it."""
