"""BOP's format: scenes, models and annotations as files. Files have millimetres, the code has metres."""
