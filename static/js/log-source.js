// Where the pages of a run get its output from: pieces of bytes, places of lines and of text, by the API.
(function () {
  "use strict";

  class LogError extends Error {}

  async function ask(address, parameters, signal) {
    const url = new URL(address, location.href);
    Object.entries(parameters).forEach(function ([name, value]) {
      if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
    });
    const headers = { Accept: "text/plain, application/json", "X-Requested-With": "XMLHttpRequest" };
    const answer = await fetch(url, { signal: signal, headers: headers });
    if (answer.status === 401) location.reload();
    if (!answer.ok) {
      let text = answer.statusText;
      if ((answer.headers.get("Content-Type") || "").includes("json")) text = (await answer.json()).detail;
      throw new LogError(text);
    }
    return answer;
  }

  // The stream of a run; all offsets are bytes.
  class LogSource {
    constructor(address, stream) {
      this.address = address;
      this.stream = stream;
    }

    // {offset or before, lines, limit}: {data, offset, end, size, complete, source, startsLine, note, at}
    async piece(wanted, signal) {
      const answer = await ask(this.address, { stream: this.stream, format: "text", ...wanted }, signal);
      const data = new Uint8Array(await answer.arrayBuffer());
      const head = (name) => answer.headers.get("X-Centro-" + name) || "";
      return {
        data: data,
        offset: Number(head("Offset")),
        end: Number(head("Next-Offset")),
        size: Number(head("Size")),
        complete: head("Complete") === "true",
        source: head("Source"),
        startsLine: head("Starts-Line") === "true",
        note: decodeURIComponent(head("Note")),
        at: head("At"),
      };
    }

    async search(wanted, signal) {
      return (await ask(this.address + "search/", { stream: this.stream, ...wanted }, signal)).json();
    }

    // {line} or {offset}: the place, asked for again until it is known; progress(bytes counted)
    async place(wanted, progress, signal) {
      for (;;) {
        const found = await (await ask(this.address + "lines/", { stream: this.stream, ...wanted }, signal)).json();
        if (found.complete) return found;
        if (progress) progress(found.counted);
      }
    }

    download() {
      return this.address + "download/?stream=" + encodeURIComponent(this.stream);
    }
  }

  window.centroLog = { LogSource: LogSource, LogError: LogError };
})();
