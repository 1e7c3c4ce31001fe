"""A look at a system before a run is submitted to it: one command, all parts at once, whatever came back in time.

``asking`` makes the command and splits its answer; ``families`` knows what each scheduler can be asked; ``reading``
turns the parts into values. Nothing here judges: a missing answer is an answer that is missing.
"""
