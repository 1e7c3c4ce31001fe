"""Who gets which answer below /firecrest/v1/: one row per address, by its name in the URL configuration.

Alice asks about things of her own; Bob, on the same system, about the same things of hers. An outcome is
the status, then the headers that tell an error, then ``> status`` of the task that the answer made. A method
that a row leaves out is answered 405. Without a token, or with one that has expired, everything is 401.

Values are filled in: ``{private}`` is a directory that only Alice may enter, ``{marker}`` a word that is in
its name, in ``{file}``, in her job's name and in her task; ``{target}`` does not exist; ``{transfer}`` is the task
of a transfer of hers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Ask:
    """A method with what is sent, and what Alice and Bob get. ``shows``: Alice finds the marker in the
    answer or its task (Bob never may); ``attached``: with a file."""

    alice: str
    bob: str
    fields: dict[str, str] = field(default_factory=dict)
    shows: bool = False
    attached: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """The methods of an address, and the values of the parameters in it."""

    get: Ask | None = None
    post: Ask | None = None
    put: Ask | None = None
    delete: Ask | None = None
    path: dict[str, str] = field(default_factory=dict)
    system: bool = True

    def asked(self, method: str) -> Ask | None:
        """What is expected of a method; None for 405."""
        found: Ask | None = getattr(self, method.lower(), None)
        return found


DENIED = "400 X-Permission-Denied"


def both(outcome: str, **fields: str) -> Ask:
    """The same for everybody: each sees what is everybody's, or acts in his own name."""
    return Ask(outcome, outcome, fields)


def hers(outcome: str, bob: str = DENIED, *, shows: bool = False, **fields: str) -> Ask:
    """On something of Alice's."""
    return Ask(outcome, bob, fields, shows)


def about(**names: str) -> dict[str, Row]:
    """Status pages: the same for everybody, no system named."""
    return {
        f"firecrest-status-{name.replace('_', '-')}": Row(
            get=both("200"), system=False, path={"name": value} if value else {}
        )
        for name, value in names.items()
    }


STATUS = about(
    services="", service="utilities", systems="", system="cluster", filesystems="", parameters=""
) | {
    "firecrest-status-system-filesystems": Row(
        get=both("200"), system=False, path={"name": "cluster"}
    ),
}

UTILITIES = {
    "ls": Row(get=hers("200", targetPath="{private}", shows=True)),
    "file": Row(get=hers("200", targetPath="{file}")),
    "stat": Row(get=hers("200", targetPath="{file}")),
    "checksum": Row(get=hers("200", targetPath="{file}")),
    "head": Row(get=hers("200", targetPath="{file}", shows=True)),
    "tail": Row(get=hers("200", targetPath="{file}", shows=True)),
    "view": Row(get=hers("200", targetPath="{file}", shows=True)),
    "download": Row(get=hers("200", sourcePath="{file}", shows=True)),
    "whoami": Row(get=both("200")),
    "mkdir": Row(post=hers("201", targetPath="{target}")),
    "rename": Row(put=hers("200", sourcePath="{file}", targetPath="{target}")),
    "copy": Row(post=hers("201", sourcePath="{file}", targetPath="{target}")),
    "chmod": Row(put=hers("200", targetPath="{file}", mode="0644")),
    "chown": Row(put=hers("200", targetPath="{file}", owner="{user}")),
    "symlink": Row(post=hers("201", targetPath="{file}", linkPath="{target}")),
    "rm": Row(delete=hers("204", targetPath="{file}")),
    "compress": Row(post=hers("201", sourcePath="{file}", targetPath="{target}")),
    "extract": Row(post=hers("201", sourcePath="{archive}", targetPath="{private}")),
    "upload": Row(post=Ask("201", DENIED, {"targetPath": "{private}"}, attached=True)),
}

# A job of somebody else's is answered like one that there is not.
COMPUTE = {
    "submit-upload": Row(post=Ask("201 > 200", "201 > 200", attached=True)),
    "submit-uploads": Row(post=Ask("201 > 200", "201 > 200", attached=True)),
    "submit-path": Row(post=hers("201 > 200", targetPath="{script}")),
    "compute-jobs": Row(get=hers("200 > 200", "200 > 400", jobs="{job}", shows=True)),
    "compute-job": Row(
        get=hers("200 > 200", "200 > 400", shows=True),
        delete=hers("200 > 200", "200 > 400"),
        path={"jobid": "{job}"},
    ),
    "compute-acct": Row(get=hers("200 > 200", "200 > 200", jobs="{job}", shows=True)),
    "compute-nodes": Row(get=both("200 > 200")),
    "compute-node": Row(get=both("200 > 200"), path={"name": "{node}"}),
    "compute-partitions": Row(get=both("200 > 200")),
    "compute-reservations": Row(get=both("200 > 200")),
}

TASKS = {
    "tasks": Row(get=hers("200", "200", shows=True), system=False),
    "task": Row(get=hers("200", "403", shows=True), path={"task_id": "{task}"}, system=False),
}

# The jobs are submitted in Bob's name and fail: what they were to change stays as it is.
TRANSFERS = {
    f"xfer-internal-{name}": Row(post=hers("201 > 200", "201 > 200", **fields))
    for name, fields in {
        "cp": {"sourcePath": "{file}", "targetPath": "{target}"},
        "mv": {"sourcePath": "{file}", "targetPath": "{target}"},
        "rsync": {"sourcePath": "{file}", "targetPath": "{target}"},
        "rm": {"targetPath": "{file}"},
        "compress": {"sourcePath": "{file}", "targetPath": "{target}"},
        "extract": {"sourcePath": "{archive}", "targetPath": "{private}"},
    }.items()
}

# Nobody moves the files here: what is looked at is who may ask.
EXTERNAL = {
    "xfer-external-upload": Row(
        post=hers("201 > 111", sourcePath="new.bin", targetPath="{private}")
    ),
    "xfer-external-download": Row(post=hers("201 > 100", sourcePath="{file}")),
    "xfer-external-invalidate": Row(
        post=Ask("201", "400", headers={"X-Task-Id": "{transfer}"}), system=False
    ),
}

_TIMES = {
    "numberOfNodes": "1",
    "nodeType": "nothing",
    "starttime": "2099-01-01T00:00:00",
    "endtime": "2099-01-01T01:00:00",
}
# Slurm lets only its operators reserve nodes, and neither of the two is one.
RESERVATIONS = {
    "reservations": Row(
        get=both("200"), post=both("400", reservation="mine", account="root", **_TIMES)
    ),
    "reservation": Row(put=both("400", **_TIMES), delete=both("400"), path={"name": "not_there"}),
}

_NOWHERE = Row(get=both("404"), post=both("404"), put=both("404"), delete=both("404"), system=False)
OTHERS = {
    "schema": Row(get=both("200"), system=False),
    "root": _NOWHERE,
    "nothing": _NOWHERE,
}

TABLE = STATUS | {
    f"firecrest-{name}": row
    for name, row in (
        {f"utilities-{name}": row for name, row in UTILITIES.items()}
        | COMPUTE
        | TASKS
        | TRANSFERS
        | EXTERNAL
        | RESERVATIONS
        | OTHERS
    ).items()
}
