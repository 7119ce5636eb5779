"""WHAT a recipient allows, and how they can be reached."""
