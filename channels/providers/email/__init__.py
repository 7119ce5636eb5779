"""Adapters that carry e-mail."""
