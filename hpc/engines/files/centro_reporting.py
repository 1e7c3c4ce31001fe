"""Reports of the program that runs a pipeline's steps: to the run's events file first, then to Centro by HTTP.

The file is what counts: Centro reads it sooner or later. Sending the same lines at once only makes the page
quicker; whatever goes wrong with it is ignored, and Centro takes each line once (by sender and seq).

Runs with the interpreter of Jetstream or Snakemake, so: Python 3.6, standard library only.
"""

import atexit
import contextlib
import json
import os
import queue
import threading
import time
import urllib.request

SENDER = "engine"
_BATCH = 200
_TIMEOUT = 5.0
_LAST_WORDS = 5.0


class Reporter:
    """Writes events. To be used from one process; its methods may be called from any of its threads."""

    def __init__(self, directory, url="", token=""):
        self._path = os.path.join(directory, "events.ndjson")
        self._url, self._token = url, token
        self._lock = threading.Lock()
        self._seq = self._last_seq()
        self._unsent = queue.Queue()
        self._failures = 0
        if url and token:
            thread = threading.Thread(target=self._send_for_ever, daemon=True)
            thread.start()
            atexit.register(self._flush)

    def _last_seq(self):
        """A program that is started again in the same run goes on counting."""
        last = 0
        try:
            with open(self._path, "rb") as lines:
                for line in lines:
                    if b'"sender": "%s"' % SENDER.encode() in line:
                        last = max(last, int(json.loads(line.decode())["seq"]))
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return last

    def send(self, kind, data):
        """One event; never raises for a full disk or a Centro that does not answer."""
        with self._lock:
            self._seq += 1
            event = {"sender": SENDER, "seq": self._seq, "type": kind, "at": round(time.time(), 3)}
            event["data"] = {name: value for name, value in data.items() if value is not None}
            line = (json.dumps(event) + "\n").encode()
            try:
                # one write in append mode, so that lines of several programs do not mix
                handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                try:
                    os.write(handle, line)
                finally:
                    os.close(handle)
            except OSError:
                pass
        if self._url and self._token:
            self._unsent.put(line)

    def task(self, name, state, log_path=None, **data):
        """A step and its state: new, pending, running, complete, failed, skipped, cancelled."""
        if log_path is not None and 0 < len(log_path) <= 600:  # more is not taken
            data["log_path"] = log_path
        self.send("task", dict(data, name=str(name)[:200], state=state))

    def message(self, text):
        self.send("message", {"text": text[:4000]})

    def error(self, text):
        self.send("error", {"text": text[:4000]})

    def progress(self, percent, text=""):
        self.send("progress", {"percent": percent, "text": text})

    def _send_for_ever(self):
        while True:
            lines = [self._unsent.get()]
            while len(lines) < _BATCH:
                try:
                    lines.append(self._unsent.get_nowait())
                except queue.Empty:
                    break
            if self._failures < 5:  # after that the file has to do
                self._post(b"".join(lines))
            for _ in lines:
                self._unsent.task_done()

    def _post(self, body):
        headers = {
            "Content-Type": "application/x-ndjson",
            "Authorization": "Bearer " + self._token,
        }
        request = urllib.request.Request(self._url, body, headers)  # noqa: S310  Centro's own address
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310  the same
                answer.read(1000)
            self._failures = 0
        except Exception:  # whatever it is: the file has the events, and the pipeline must go on
            self._failures += 1

    def _flush(self):
        """Give what is still on its way a moment before the program ends."""
        deadline = time.time() + _LAST_WORDS
        while self._unsent.unfinished_tasks and time.time() < deadline:
            time.sleep(0.05)


def _token():
    try:
        with open(os.environ.get("CENTRO_TOKEN_FILE", "")) as file:
            return file.read().strip()
    except OSError:
        return ""


_reporter = None


def reporter():
    """The reporter of this process, made from the run's environment."""
    global _reporter
    if _reporter is None:
        url = os.environ.get("CENTRO_EVENTS_URL", "")
        _reporter = Reporter(os.environ.get("CENTRO_RUN_DIR", "."), url, _token())
    return _reporter


def begun():
    """Leave a mark that steps have been started: what fails from now on is a step, not the configuration."""
    path = os.path.join(os.environ.get("CENTRO_RUN_DIR", "."), "engine.begun")
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
