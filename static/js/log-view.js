// The viewer of a run's output: a window on a stream of any size, following its end, jumping to lines and places.
(function () {
  "use strict";
  const CHUNK = 32768;
  const POLL = 1500; // while something is being written; the pause grows while nothing is
  const SLOWEST = 4500;
  const WAIT = 5000; // after a failure
  const FAR = 262144; // so far behind the end one jumps
  const NUMBERED = 67108864; // up to this size lines are counted without being asked
  const { LogSource, LogWindow, countNewlines } = window.centroLog;

  class LogView {
    // root: the element that holds the viewer; its data-texts are the sentences
    constructor(root) {
      this.root = root;
      this.area = root.querySelector(".log");
      this.window = new LogWindow(this.area, (line, offset) => this.href(line, offset));
      this.following = false;
      this.fresh = 0;
      this.listeners = [];
      this.area.addEventListener("scroll", () => this.scrolled(), { passive: true });
      document.addEventListener("visibilitychange", () => this.poll());
      if (window.ResizeObserver) new ResizeObserver(() => this.resized()).observe(this.area);
    }

    changed() {
      this.listeners.forEach((listener) => listener());
    }

    text(name, values) {
      let text = this.root.dataset[name] || "";
      Object.entries(values || {}).forEach(([key, value]) => (text = text.replace("{" + key + "}", value)));
      return text;
    }

    href(line, offset) {
      const place = line === null ? "B" + offset : "L" + line;
      return this.root.dataset.page + "?stream=" + encodeURIComponent(this.source.stream) + "#" + place;
    }

    // Show a stream: its end, or a place {line} or {offset}.
    async open(stream, place) {
      if (this.stop) this.stop.abort();
      clearTimeout(this.timer);
      this.stop = new AbortController();
      this.source = new LogSource(this.root.dataset.api, stream);
      this.window.reset();
      this.target = this.loading = null;
      this.over = this.complete = false;
      this.fresh = 0;
      this.following = false;
      this.area.setAttribute("aria-live", "off");
      this.say("reading");
      this.changed();
      await this.work(async () => {
        if (!(await this.show(place))) await this.end();
        this.follow(!this.complete && !place);
      });
      this.pause = POLL;
      this.poll(POLL);
    }

    // Run something that may fail; the failure is said in the foot.
    async work(action) {
      const stop = this.stop;
      this.busy = true;
      try {
        await action();
        this.failed = false;
      } catch (error) {
        if (stop !== this.stop || error.name === "AbortError") return;
        this.failed = true;
        this.note(error instanceof window.centroLog.LogError ? error.message : this.text("away"));
      } finally {
        if (stop === this.stop) this.busy = false;
        this.changed();
      }
    }

    piece(wanted) {
      return this.source.piece({ limit: CHUNK, ...wanted }, this.stop.signal);
    }

    take(piece) {
      this.complete = piece.complete;
      this.seen = Math.max(piece.size, piece.end);
      this.heard = piece;
      this.note(piece.note);
      if (this.complete) this.follow(false);
      if (!piece.size && !piece.data.length && !piece.note) this.say(piece.complete ? "nothing" : "nothingYet");
    }

    // The end of the stream.
    async end() {
      const piece = await this.piece({ lines: "whole" });
      this.window.replace(piece, true);
      this.take(piece);
      this.fresh = 0;
      this.window.toEnd();
      await this.fill(true);
      await this.count();
    }

    // A place in the stream; false where there is none.
    async show(place) {
      if (!place) return false;
      let { line, offset } = place;
      if (line) {
        const found = await this.source.place(
          { line: line }, (bytes) => this.note(this.text("counting", { size: size(bytes) })), this.stop.signal
        );
        offset = found.offset;
        if (offset === null) this.note(this.text("noLine", { line: line }));
      }
      if (offset === null || offset === undefined) return false;
      await this.jump(offset);
      if (line) this.window.numberAt(offset, line);
      this.mark(offset);
      await this.count();
      return true;
    }

    // Only what stands at a byte, with something before it.
    async jump(offset) {
      this.follow(false);
      if (!this.window.rowAt(offset)) {
        const piece = await this.piece({ offset: offset, lines: "whole" });
        if (!piece.data.length && piece.size > 0) return this.end();
        this.window.replace(piece, false);
        this.take(piece);
        this.area.scrollTop = this.window.above.offsetHeight + 1;
        await this.fill(false);
      }
    }

    // Mark a line and bring it to the upper third.
    mark(offset) {
      this.target = offset;
      this.paint();
      const row = this.window.rowAt(offset);
      if (!row) return;
      const away = row.getBoundingClientRect().top - this.area.getBoundingClientRect().top;
      this.area.scrollTop += away - this.area.clientHeight / 3;
    }

    paint() {
      this.area.querySelectorAll(".log-target").forEach((row) => row.classList.remove("log-target"));
      const row = this.target === null ? null : this.window.rowAt(this.target);
      if (row) row.classList.add("log-target");
    }

    // Fetch what is missing around what is seen.
    async fill(stick) {
      for (let turn = 0; turn < 6; turn += 1) {
        const need = this.window.look();
        if (need.before) await this.before();
        else if (need.after) await this.after();
        else return;
        if (stick) this.window.toEnd();
        this.paint();
      }
    }

    async before() {
      const at = this.window.start;
      const piece = await this.piece({ before: at, lines: "whole" });
      if (at === this.window.start) this.window.prepend(piece);
    }

    async after() {
      const at = this.window.end;
      const piece = await this.piece({ offset: at, lines: "end" });
      if (at !== this.window.end) return;
      this.window.append(piece, false);
      if (piece.end >= this.seen) this.take(piece);
    }

    // Numbers for the lines: at once for small streams, else when they are asked for.
    async count(asked) {
      const first = this.window.first;
      if (!first || first.first !== null || (!asked && this.window.start > NUMBERED)) return;
      if (this.heard && this.heard.source !== "system") return;
      const offset = first.offset;
      const progress = (bytes) => this.note(this.text("counting", { size: size(bytes) }));
      const found = await this.source.place({ offset: offset }, asked ? progress : null, this.stop.signal);
      if (found.line !== null) this.window.numberAt(offset, found.line);
      if (asked && this.heard) this.note(this.heard.note);
    }

    numberLines() {
      return this.work(() => this.count(true));
    }

    // --- following ---------------------------------------------------------------------------------------------
    follow(wanted) {
      if (wanted === this.following) return;
      this.following = wanted;
      this.area.setAttribute("aria-live", wanted ? "polite" : "off");
      if (wanted) this.fresh = 0;
      this.changed();
    }

    async toggleFollow() {
      if (this.following) return this.follow(false);
      await this.toEnd();
      this.follow(true);
    }

    toEnd() {
      return this.work(async () => {
        if (this.window.reachesEnd && this.window.chunks.length) this.window.toEnd();
        else await this.end();
        this.fresh = 0;
      });
    }

    toStart() {
      return this.work(async () => {
        await this.jump(this.window.floor);
        this.area.scrollTop = 0;
        await this.fill(false);
      });
    }

    poll(pause) {
      clearTimeout(this.timer);
      if (this.complete || !this.source) return;
      this.timer = setTimeout(() => this.look(), pause || 0);
    }

    async look() {
      if (document.hidden || this.busy) return this.poll(POLL);
      const before = this.seen;
      await this.work(() => this.hear());
      this.pause = this.seen === before ? Math.min(SLOWEST, this.pause + 500) : POLL;
      this.poll(this.failed ? WAIT : this.pause);
    }

    // What was written since: shown at the end of the window, or only counted.
    async hear() {
      const shown = this.window.reachesEnd;
      const from = shown ? this.window.end : this.seen;
      const piece = await this.piece({ offset: from, lines: "end", limit: FAR });
      if (from !== (shown ? this.window.end : this.seen)) return;
      if (piece.size < from && piece.source === "system") return this.end(); // it was cut
      if (piece.offset > from || (this.following && (!shown || piece.size - from > FAR))) return this.end();
      const stays = shown && (this.following || this.window.chunks.length < 8);
      if (stays) this.window.append(piece, this.following);
      else this.window.size = Math.max(piece.size, piece.end);
      if (!this.following) this.fresh += countNewlines(piece.data);
      const seen = this.seen;
      this.take(piece);
      if (!stays) this.seen = Math.max(seen, piece.end);
      if (!stays) this.window.still(() => this.window.space());
      if (this.window.first && this.window.first.first === null) await this.count();
    }

    // --- scrolling ---------------------------------------------------------------------------------------------
    scrolled() {
      if (this.following && !this.window.isAtEnd) this.follow(false);
      else if (!this.following && !this.complete && this.window.isAtEnd && this.window.reachesEnd) this.follow(true);
      this.changed();
      if (this.loading) return;
      this.loading = setTimeout(async () => {
        await this.work(async () => {
          const place = this.window.look();
          if (place.jump !== undefined) {
            await this.jump(place.jump);
            await this.count();
          } else if (place.before || place.after) {
            await this.fill(false);
          }
        });
        this.loading = null;
        const place = this.window.look();
        if (!this.failed && (place.jump !== undefined || place.before || place.after)) this.scrolled();
      }, 60);
    }

    resized() {
      this.window.space();
      if (this.following) this.window.toEnd();
    }

    // --- the foot ----------------------------------------------------------------------------------------------
    say(name) {
      this.note(this.text(name));
    }

    note(text) {
      this.message = text;
      this.changed();
    }
  }

  function size(bytes) {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let at = 0;
    for (; bytes >= 1000 && at < units.length - 1; at += 1) bytes /= 1000;
    return (at && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)) + " " + units[at];
  }

  Object.assign(window.centroLog, { LogView: LogView, size: size });
})();
