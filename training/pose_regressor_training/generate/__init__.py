"""BOP datasets written to disk: planned, made by several processes or hosts, gone on with after a kill."""
