// A part of a stream on the page: chunks that follow on each other, between two spacers that stand for the rest.
(function () {
  "use strict";
  const MOST_CHUNKS = 12;
  const TALLEST = 4e6; // browsers draw no taller elements; a longer stream is shown on a smaller scale
  const LEAST_SPACE = 400;
  const { Chunk, bounded } = window.centroLog;
  const CARRIAGE_RETURN = 13;

  class LogWindow {
    constructor(area, hrefOf) {
      this.area = area;
      this.hrefOf = hrefOf;
      this.above = document.createElement("div");
      this.lines = document.createElement("div");
      this.below = document.createElement("div");
      this.above.className = this.below.className = "log-space";
      area.replaceChildren(this.above, this.lines, this.below);
      this.reset();
    }

    reset() {
      this.chunks = [];
      this.size = 0;
      this.floor = 0; // nothing before this byte can be had
      this.lines.replaceChildren();
      this.space();
    }

    get start() {
      return this.chunks.length ? this.chunks[0].offset : 0;
    }

    get end() {
      return this.chunks.length ? this.chunks[this.chunks.length - 1].end : 0;
    }

    get first() {
      return this.chunks[0] || null;
    }

    get last() {
      return this.chunks[this.chunks.length - 1] || null;
    }

    get reachesStart() {
      return this.start <= this.floor;
    }

    get reachesEnd() {
      return this.end >= this.size;
    }

    // Only this piece.
    replace(piece, keepLast) {
      const size = Math.max(piece.size, piece.end);
      this.chunks = [];
      this.lines.replaceChildren();
      this.size = size;
      if (piece.data.length) this._insert(bounded(piece, keepLast), null);
      this.space();
    }

    // What stands before the first chunk; the view stays where it is.
    prepend(piece) {
      if (!piece.data.length) {
        this.floor = this.start;
        return this.space();
      }
      this.still(() => {
        const next = this.first;
        const chunk = this._insert(bounded(piece, true), next);
        if (chunk.offset === 0) this.number(1);
        else if (next.first !== null) chunk.number(next.first - chunk.newlines, this.hrefOf);
        this._recolour(1);
        while (this.chunks.length > MOST_CHUNKS) this.chunks.pop().element.remove();
        this.space();
      });
    }

    // What follows on the last chunk. stick: stay at the end, whatever goes at the beginning.
    append(piece, stick) {
      const change = () => {
        for (let rest = piece; rest.data.length; ) {
          const part = bounded(rest, false);
          this._follow(part);
          rest = { ...rest, data: rest.data.subarray(part.data.length), offset: part.end, startsLine: true };
        }
        // the rest of a character that is being written is no reason to ask again at once
        this.size = piece.data.length ? Math.max(piece.size, this.end) : this.end;
        while (this.chunks.length > MOST_CHUNKS) this.chunks.shift().element.remove();
        this.space();
      };
      if (!stick) return this.still(change);
      change();
      this.toEnd();
    }

    _follow(piece) {
      const last = this.last;
      if (last && !last.isFull) {
        last.append(piece.data);
        return last.number(last.first, this.hrefOf);
      }
      const added = this._insert(last ? { ...piece, startsLine: !last.isOpen } : piece, null);
      if (!last) return;
      added.number(last.first === null ? null : last.first + last.newlines, this.hrefOf);
      if (last.isOpen && piece.data.includes(CARRIAGE_RETURN)) {
        last.element.lastChild.classList.add("log-overwritten");
      }
    }

    // The number of the first chunk's first line, and with it all others.
    number(line) {
      for (const chunk of this.chunks) {
        chunk.number(line, this.hrefOf);
        if (line !== null) line += chunk.newlines;
      }
    }

    // The line in which a byte stands has this number, and with it all others.
    numberAt(offset, line) {
      const at = this.chunks.findIndex((each) => each.offset <= offset && offset < each.end);
      if (at < 0) return;
      line -= Array.prototype.indexOf.call(this.chunks[at].element.children, this.chunks[at].rowAt(offset));
      this.number(this.chunks.slice(0, at).reduce((first, chunk) => first - chunk.newlines, line));
    }

    _insert(piece, before) {
      const state = before === null && this.last ? this.last.state : window.centroAnsi.PLAIN;
      const chunk = new Chunk(piece, state);
      if (before === null) {
        this.chunks.push(chunk);
        this.lines.append(chunk.element);
      } else {
        this.chunks.unshift(chunk);
        this.lines.prepend(chunk.element);
      }
      chunk.number(chunk.offset === 0 ? 1 : null, this.hrefOf);
      return chunk;
    }

    // Colours run on from chunk to chunk.
    _recolour(from) {
      for (let at = from; at < this.chunks.length; at += 1) {
        const [before, chunk] = [this.chunks[at - 1], this.chunks[at]];
        if (JSON.stringify(before.state) === JSON.stringify(chunk.stateBefore)) return;
        chunk.render(before.state);
        chunk.number(chunk.first, this.hrefOf);
      }
    }

    // Let the spacers stand for what is not shown, on a scale that the browser can draw.
    space() {
      const shown = this.end - this.start;
      const height = this.lines.offsetHeight;
      const scale = shown > 0 ? Math.min(height / shown, TALLEST / Math.max(1, this.size)) : 0;
      const room = (bytes) => (bytes > 0 ? Math.max(LEAST_SPACE, bytes * scale) : 0);
      this.above.style.height = room(this.chunks.length ? this.start - this.floor : 0) + "px";
      this.below.style.height = room(this.chunks.length ? this.size - this.end : 0) + "px";
    }

    // Do something while the topmost visible line stays where it is.
    still(action) {
      const kept = this.topRow();
      const before = kept ? kept.getBoundingClientRect().top : 0;
      action();
      if (kept && kept.isConnected) this.area.scrollTop += kept.getBoundingClientRect().top - before;
    }

    topRow() {
      const top = this.area.getBoundingClientRect().top;
      for (const chunk of this.chunks) {
        if (chunk.element.getBoundingClientRect().bottom <= top) continue;
        for (const row of chunk.element.children) if (row.getBoundingClientRect().bottom > top) return row;
      }
      return null;
    }

    rowAt(offset) {
      const chunk = this.chunks.find((each) => each.offset <= offset && offset < each.end);
      return chunk ? chunk.rowAt(offset) : null;
    }

    toEnd() {
      this.area.scrollTop = this.area.scrollHeight;
    }

    get isAtEnd() {
      return this.area.scrollHeight - this.area.scrollTop - this.area.clientHeight < 60;
    }

    // Where the reader is: "near" the lines, with what to fetch, or in a spacer, at a byte of the stream.
    look() {
      const top = this.area.scrollTop;
      const bottom = top + this.area.clientHeight;
      const from = this.above.offsetHeight;
      const to = from + this.lines.offsetHeight;
      if (this.chunks.length && bottom < from) {
        return { jump: this.floor + Math.floor((top / from) * (this.start - this.floor)) };
      }
      if (this.chunks.length && top > to) {
        const part = (top - to) / Math.max(1, this.below.offsetHeight - this.area.clientHeight);
        return { jump: Math.floor(this.end + Math.min(1, part) * (this.size - this.end)) };
      }
      const margin = this.area.clientHeight;
      return { before: top - from < margin && !this.reachesStart, after: to - bottom < margin && !this.reachesEnd };
    }
  }

  Object.assign(window.centroLog, { LogWindow: LogWindow });
})();
