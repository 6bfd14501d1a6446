"""BOP's format: scenes, models and annotations as files. Millimetres there, metres here."""
