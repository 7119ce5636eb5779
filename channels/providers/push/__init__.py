"""Adapters that carry push notifications."""
