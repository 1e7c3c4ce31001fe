"""The commands: init, pipelines, tasks, project."""

import argparse
import json
import logging.config
import os
import sys
from collections import Counter
from pathlib import Path

import jinja2
import yaml

from jetstream import settings
from jetstream.running import Lock, Runner
from jetstream.workflows import build, load_workflow


def main():
    profile = settings["logging_profiles"].get(settings["log"])
    if profile:
        logging.config.dictConfig(profile)
    parser = argparse.ArgumentParser(prog="jetstream")
    commands = parser.add_subparsers(dest="command", required=True)
    init = commands.add_parser("init")
    init.add_argument("path")
    init.add_argument("-C", "--config-file")
    init.add_argument("--project-id", default="01HSTANDIN")
    run = commands.add_parser("pipelines")
    run.add_argument("name", nargs="?")
    run.add_argument("-p", "--project")
    run.add_argument("-s", "--search-path", action="append", default=[])
    run.add_argument("--backend", choices=settings["backends"], default=settings["backend"])
    run.add_argument("--reset-method", choices=["retry", "resume", "reset"], default="retry")
    run.add_argument("-r", "--render-only", action="store_true")
    run.add_argument("-b", "--build-only", action="store_true")
    run.add_argument("-m", "--mash-only", action="store_true")
    run.add_argument("-o", "--out")
    for name in ("tasks", "project"):
        one = commands.add_parser(name)
        one.add_argument("-p", "--project")
        one.add_argument("-w", "--workflow")
    args = parser.parse_args()
    sys.exit(globals()[f"do_{args.command}"](args))


def do_init(args):
    folder = Path(args.path, "jetstream")
    (folder / "logs").mkdir(parents=True)
    config = json.loads(Path(args.config_file).read_text()) if args.config_file else {}
    config["__project__"] = {"id": args.project_id, "version": "1.7.4"}
    (folder / "project.yaml").write_text(yaml.safe_dump(config))
    return 0


def do_pipelines(args):
    found = manifests(args.search_path)
    if not args.name:
        for path, about in found:
            print(f"{about['name']} ({about['version']}): {path}")
        return 0
    path, about, extra = choose(found, args.name)
    project = os.path.abspath(args.project)
    config = yaml.safe_load(Path(project, "jetstream", "project.yaml").read_text())
    environment = jinja2.Environment(  # noqa: S701  shell and YAML, no HTML
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(path),
        extensions=["jinja2.ext.do"],
    )
    text = environment.get_template(about.get("main", "main.jst")).render({**config, **extra})
    if args.render_only:
        print(text)
        return 0
    workflow = build(text)
    if args.build_only:
        workflow.save(args.out)
        return 0
    older = Path(project, "jetstream", "workflow.pickle")
    if args.mash_only:
        workflow.mash(load_workflow(older))
        workflow.restart("retry")
        workflow.save(args.out or older)
        return 0
    os.environ.update(
        JS_PROJECT_PATH=project,
        JS_PIPELINE_PATH=str(path),
        JS_PIPELINE_NAME=str(about["name"]),
        JS_PIPELINE_VERSION=str(about["version"]),
    )
    with Lock(project):
        if older.exists():
            workflow.mash(load_workflow(older))
            workflow.restart(args.reset_method)
        return Runner(project, workflow, args.backend).start()


def do_tasks(args):
    for task in load_workflow(args.workflow or Path(args.project, "jetstream", "workflow.pickle")):
        print(f"<Task({task.status}): {task.name}>")
    return 0


def do_project(args):
    status = Counter(
        task.status for task in load_workflow(Path(args.project, "jetstream", "workflow.pickle"))
    )
    print(yaml.safe_dump({"workflow": {"status": dict(status), "tasks": sum(status.values())}}))
    return 0


def manifests(more):
    paths = [*more, *str(settings["pipelines"].get("searchpath") or "").split(":")]
    found = []
    for path in paths:
        for file in sorted(Path(path).glob("**/pipeline.yaml")) if path else []:
            found.append((file.parent, yaml.safe_load(file.read_text())["__pipeline__"]))
    return found


def choose(found, reference):
    name, _, version = reference.partition("@")
    fitting = [item for item in found if item[1]["name"] == name]
    fitting = [item for item in fitting if not version or str(item[1]["version"]) == version]
    if not fitting:
        raise FileNotFoundError(f"No pipeline found for {reference}")
    path, about = fitting[-1]
    extra = yaml.safe_load((path / "pipeline.yaml").read_text())
    return path, about, extra
