"""The multi-task network, its configuration, and the file it is kept in."""
