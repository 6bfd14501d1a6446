"""Scenes as photographs, path-traced by Blender's Cycles."""
