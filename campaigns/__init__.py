"""MANY recipients, on a schedule."""
