"""Files that a configuration asks to be brought before the job, and results that are taken away after it."""
