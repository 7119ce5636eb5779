"""Adapters for text messages."""
