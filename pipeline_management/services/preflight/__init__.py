"""What a system says to a run before it is submitted: ``asking`` asks, ``steps`` and ``scheduling`` judge.

All of it is advice: nothing here ever changes a run or keeps one from being submitted.
"""
