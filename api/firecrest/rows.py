"""Jobs, nodes and partitions as the clients of the compute service read them."""

from __future__ import annotations

from typing import Any

from hpc.rows import AccountingRow, NodeRow, PartitionRow, QueueRow, ReservationRow


def job(row: QueueRow, everybody: bool) -> dict[str, str]:
    """A job in the queue. ``start_time`` and ``time`` are exchanged: clients rely on it."""
    return {
        "jobid": row.job_id,
        "partition": row.partition,
        "name": row.name,
        "user": row.user,
        "state": row.state,
        "start_time": row.time_used,
        "time": row.start_time,
        "time_left": row.time_left,
        "nodes": row.nodes,
        "nodelist": row.nodelist,
        "job_file": row.script,
        "job_file_out": row.stdout,
        "job_file_err": row.stderr,
        "job_data_out": row.stdout_tail,
        "job_data_err": row.stderr_tail,
        "job_info_extra": "" if everybody else "Job info returned successfully",
    }


def record(row: AccountingRow) -> dict[str, str]:
    """A job in accounting; two of its values stand under two names each."""
    return {
        "jobid": row.job_id,
        "partition": row.partition,
        "name": row.name,
        "user": row.user,
        "state": row.state,
        "start_time": row.start_time,
        "time": row.cpu_time,
        "cpu_time": row.cpu_time,
        "elapsed_time": row.elapsed,
        "time_left": row.end_time,
        "termination_time": row.end_time,
        "nodes": row.nodes,
        "nodelist": row.nodelist,
        "exit_code": row.exit_code,
    }


def node(row: NodeRow) -> dict[str, Any]:
    """A node; without features null."""
    return {
        "NodeName": row.name,
        "ActiveFeatures": list(row.features) or None,
        "Partitions": list(row.partitions),
        "State": list(row.states),
    }


def partition(row: PartitionRow) -> dict[str, str]:
    """A partition, numbers as text."""
    return {
        "PartitionName": row.name,
        "State": row.state,
        "TotalCPUs": row.total_cpus,
        "TotalNodes": row.total_nodes,
        "Default": "YES" if row.is_default else "NO",
    }


def reservation(row: ReservationRow) -> dict[str, Any]:
    """A reservation of the compute service."""
    return {
        "ReservationName": row.name,
        "State": row.state,
        "Nodes": row.nodes,
        "StartTime": row.start_time,
        "EndTime": row.end_time,
        "Features": list(row.features),
    }
