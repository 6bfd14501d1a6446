"""The demo's film: its story, and how Blender renders it."""
