"""A workflow that Jetstream has built, as JSON: python jetstream_plan.py WORKFLOW_FILE

Runs on the system, with Jetstream's interpreter and as the person whose run it is: a workflow file is a pickle, and
what reads a pickle runs what it says. Relies on ``jetstream.load_workflow``, the workflow as an iterable of tasks,
``reload_graph()`` and ``graph`` (with the networkx graph as ``G`` or ``graph``). Tried with 1.7.4.
"""

import json
import sys

import jetstream


def main(path):
    workflow = jetstream.load_workflow(path)
    workflow.reload_graph()
    graph = getattr(workflow.graph, "G", None) or getattr(workflow.graph, "graph", workflow.graph)
    after = {}
    for first, then in graph.edges():
        after.setdefault(_name(then), []).append(_name(first))
    tasks = []
    for task in workflow:
        wanted = task.directives
        tasks.append(
            {
                "name": task.name,
                "state": task.status,
                "after": sorted(after.get(task.name, [])),
                "cpus": wanted.get("cpus"),
                "mem": wanted.get("mem"),
                "walltime": wanted.get("walltime"),
                "runs": bool(wanted.get("cmd") or wanted.get("exec")),
            }
        )
    json.dump({"tasks": tasks}, sys.stdout, default=str)


def _name(node):
    return getattr(node, "name", node)


if __name__ == "__main__":
    main(sys.argv[1])
