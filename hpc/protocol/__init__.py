"""The submission protocol: at-least-once submission, at-most-once execution.

A run has one directory on the system, on a file system that all login and compute nodes share. All its
jobs, should there ever be more than one, go to the scheduler under one KEY (the job name) and race for
one claim in that directory; only the winner executes. Every step may be killed at any point and done
again. Files: ``.lock`` (flock), ``staged``, ``attempt`` (time of the last try), ``jobid`` (id and time),
``lost.<id>`` (ids that the scheduler forgot), ``cancel`` (tombstone), ``claim`` (symbolic link to
``<job id>.<restarts>.<nonce>``), ``started`` (job id, restarts, epoch, node), ``result`` (exit code,
epoch, job id),
``stdout`` and ``stderr`` of the script, ``job.<id>.out`` of the scheduler.
"""
