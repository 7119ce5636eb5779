"""`make up`: the whole platform as processes of one machine, under one supervisor.

Like the keeper of the embedded servers it loads neither Django nor Celery's machinery: it stays small, and it
must be able to refuse before anything is started.
"""
