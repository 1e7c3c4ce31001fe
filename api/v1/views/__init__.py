"""The views of /api/v1/: they read parameters, call services, and write answers; nothing else."""
