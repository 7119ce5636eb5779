"""Composition root: may import everything, nobody imports it.

Empty: the keeper of the embedded servers imports `config.embedded`, and must come without settings and Celery.
"""
