"""A stand-in for Jetstream 1.7.4: the same commands, exit codes, files, signals and task states, as recorded.

It is no copy: only what Centro relies on is here. Settings come from $JETSTREAMDIR/config.yaml, a project is a
directory with jetstream/project.yaml, workflow.pickle, logs/ and, while it runs, pid.lock.
"""

import os

import yaml

settings = {
    "backend": "local",
    "log": None,
    "backends": {},
    "pipelines": {},
    "logging_profiles": {},
}
folder = os.environ.get("JETSTREAMDIR")
if folder and os.path.exists(os.path.join(folder, "config.yaml")):
    with open(os.path.join(folder, "config.yaml")) as file:
        settings.update(yaml.safe_load(file) or {})
settings["backends"] = {
    "local": {"()": "jetstream.backends.local.LocalBackend"},
    "slurm": {"()": "jetstream.backends.slurm.SlurmBackend"},
    **settings["backends"],
}

from jetstream.workflows import load_workflow  # noqa: E402  it reads the settings

__all__ = ["load_workflow", "settings"]
