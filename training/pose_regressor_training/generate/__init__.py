"""BOP datasets on disk: planned, made by several processes or hosts, and resumed after an interruption."""
