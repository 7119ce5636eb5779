"""A simulated week: random people live, the real program tells them things, and a stranger checks every message."""
