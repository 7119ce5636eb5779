"""Adapters that carry in-app messages."""
