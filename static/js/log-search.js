// Finding text and errors in a stream: by the system's grep, piece by piece, shown in the viewer.
(function () {
  "use strict";
  const MOST = 1000;
  const AT_ONCE = 4; // questions, each of 64 MiB
  const PAINTED = "log-found";

  class LogSearch {
    constructor(view, show) {
      this.view = view;
      this.show = show; // (text): what the count says
      this.clear();
    }

    clear() {
      if (this.stop) this.stop.abort();
      this.stop = null;
      this.wanted = null;
      this.hits = [];
      this.at = -1;
      this.done = true;
      this.next = 0;
      this.show("");
      this.paint();
    }

    get key() {
      return JSON.stringify(this.wanted);
    }

    // {pattern, regex} or {errors}: begin anew, or go on to the next match of the same.
    async find(wanted, step) {
      if (JSON.stringify(wanted) === this.key && (this.hits.length || !this.done)) return this.move(step);
      this.clear();
      this.wanted = wanted;
      this.done = false;
      await this.more(wanted.errors ? 0 : this.view.topOffset());
    }

    // Search on until something was found from the byte on, or all is searched.
    async more(from) {
      this.stop = new AbortController();
      const { stop, wanted } = this;
      this.running = true;
      const known = this.hits.length;
      try {
        for (let asked = 0; !this.done && this.hits.length - known < MOST; asked += 1) {
          // the rest of a huge file is searched when the reader wants the next match
          if (asked >= AT_ONCE && this.hits.length > known) break;
          const found = await this.view.source.search({ ...wanted, start: this.next, limit: MOST }, stop.signal);
          this.hits.push(...found.hits.map((hit) => hit.offset));
          this.next = found.next_offset;
          this.size = found.size;
          this.done = found.complete;
          this.count();
          this.paint();
          if (this.at < 0 && this.hits.length) {
            const ahead = this.hits.findIndex((offset) => offset >= from);
            if (ahead >= 0 || this.done) await this.go(Math.max(0, ahead));
          }
        }
      } catch (error) {
        if (error.name === "AbortError") return;
        this.done = true;
        this.wanted = null;
        this.show(error instanceof window.centroLog.LogError ? error.message : this.view.text("away"));
        return;
      } finally {
        if (stop === this.stop) this.running = false;
      }
      if (this.at < 0 && this.hits.length) await this.go(0);
      this.count();
    }

    async move(step) {
      if (step > 0 && this.at === this.hits.length - 1 && !this.done && !this.running) await this.more(0);
      if (!this.hits.length) return;
      await this.go((this.at + step + this.hits.length) % this.hits.length);
    }

    async go(at) {
      this.at = at;
      this.count();
      await this.view.visit(this.hits[at]);
      this.paint();
    }

    count() {
      if (!this.wanted) return;
      const searched = this.size ? Math.floor((this.next / this.size) * 100) : 100;
      const total = this.hits.length + (this.done ? "" : "+");
      const part = this.done || searched > 99 ? "" : " · " + this.view.text("searched", { part: searched });
      if (this.hits.length) this.show((this.at + 1 || "–") + " / " + total + part);
      else this.show(this.done ? this.view.text(this.wanted.errors ? "noErrors" : "notFound") : part.slice(3) || "…");
    }

    // Mark the lines that match and, where the browser can without touching them, the text in them.
    paint() {
      const hits = new Set(this.hits);
      const current = this.hits[this.at];
      const ranges = [];
      this.view.area.querySelectorAll(".log-row").forEach((row) => {
        const offset = Number(row.dataset.offset);
        const isHit = hits.has(offset);
        row.classList.toggle("log-hit", isHit);
        row.classList.toggle("log-current", isHit && offset === current);
        if (isHit) ranges.push(...this.rangesIn(row.lastChild));
      });
      if (window.CSS && CSS.highlights) CSS.highlights.set(PAINTED, new Highlight(...ranges));
    }

    rangesIn(line) {
      if (!this.wanted || this.wanted.regex || this.wanted.errors) return [];
      const ranges = [];
      const wanted = this.wanted.ignore_case ? this.wanted.pattern.toLowerCase() : this.wanted.pattern;
      const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const node = walker.currentNode;
        const text = this.wanted.ignore_case ? node.data.toLowerCase() : node.data;
        if (text.length !== node.data.length) continue; // some letters change their length
        for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
          const range = document.createRange();
          range.setStart(node, at);
          range.setEnd(node, at + wanted.length);
          ranges.push(range);
        }
      }
      return ranges;
    }
  }

  Object.assign(window.centroLog, { LogSearch: LogSearch });
})();
