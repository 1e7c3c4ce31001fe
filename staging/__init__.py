"""The staging area: the store that large files pass through. Plain Python, no Django, no Celery."""
