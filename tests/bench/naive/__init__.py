"""(c) What people write first: a Django app of its own, one Celery task per notification."""
