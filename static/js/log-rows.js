// Bytes of output as rows of the page. A chunk is some whole lines that stand together in one element.
(function () {
  "use strict";
  const NEWLINE = 10;
  const MOST_ROWS = 1000;
  const decoder = new TextDecoder();
  const TONES = { error: "danger", warning: "warning", notice: "info", debug: "quiet", group: "group" };

  function countNewlines(data) {
    let count = 0;
    for (let at = data.indexOf(NEWLINE); at >= 0; at = data.indexOf(NEWLINE, at + 1)) count += 1;
    return count;
  }

  // [from, to) of the lines in the data, each with its newline; the last one may have none.
  function* linesIn(data) {
    for (let from = 0; from < data.length; ) {
      const newline = data.indexOf(NEWLINE, from);
      const to = newline < 0 ? data.length : newline + 1;
      yield [from, to];
      from = to;
    }
  }

  // A piece with no more lines than a chunk may have: its first ones, or its last.
  function bounded(piece, keepLast) {
    const lines = Array.from(linesIn(piece.data));
    if (lines.length <= MOST_ROWS) return piece;
    const kept = keepLast ? lines.slice(-MOST_ROWS) : lines.slice(0, MOST_ROWS);
    const from = kept[0][0];
    const to = kept[kept.length - 1][1];
    return {
      ...piece,
      data: piece.data.subarray(from, to),
      offset: piece.offset + from,
      end: piece.offset + to,
      startsLine: from > 0 || piece.startsLine,
    };
  }

  function row(data, offset, state) {
    const ends = data[data.length - 1] === NEWLINE;
    const text = decoder.decode(ends ? data.subarray(0, -1) : data);
    const shown = window.centroAnsi.line(text, state);
    const element = document.createElement("div");
    element.className = "log-row";
    element.dataset.offset = offset;
    const number = document.createElement("a");
    number.className = "log-number";
    number.tabIndex = -1;
    const line = document.createElement("span");
    line.className = "log-line";
    shown.parts.forEach(function (part) {
      if (!part.classes) return line.append(part.text);
      const span = document.createElement("span");
      span.className = part.classes;
      span.textContent = part.text;
      line.append(span);
    });
    // marks of the kind that workflow systems print: ::error::text, ::group::title
    const mark = /^::(error|warning|notice|debug|group|endgroup)\b[^:]*::/.exec(line.textContent);
    if (mark) {
      element.dataset.mark = mark[1];
      if (TONES[mark[1]]) element.classList.add("log-" + TONES[mark[1]]);
    }
    element.append(number, line);
    return { element: element, state: shown.state };
  }

  class Chunk {
    // state: the colours that the line before left behind
    constructor(piece, state) {
      this.data = piece.data;
      this.offset = piece.offset;
      this.startsLine = piece.startsLine;
      this.element = document.createElement("div");
      this.element.className = "log-chunk";
      this.first = null; // the number of the line in which it begins, where that is known
      this.render(state);
    }

    get end() {
      return this.offset + this.data.length;
    }

    get newlines() {
      return this.lines - (this.isOpen ? 1 : 0);
    }

    // Whether the last line has no newline yet.
    get isOpen() {
      return this.data.length > 0 && this.data[this.data.length - 1] !== NEWLINE;
    }

    get isFull() {
      return this.lines >= MOST_ROWS || this.data.length >= 65536;
    }

    render(state) {
      this.stateBefore = state;
      this.lines = 0;
      this.element.replaceChildren();
      this.state = state;
      this.lastLine = 0;
      this._add(0);
    }

    // What follows on the chunk's end; an open last line is shown anew with it.
    append(data) {
      const from = this.isOpen ? this.lastLine : this.data.length;
      if (this.isOpen) {
        this.element.lastChild.remove();
        this.lines -= 1;
        this.state = this.stateOfLast;
      }
      const whole = new Uint8Array(this.data.length + data.length);
      whole.set(this.data);
      whole.set(data, this.data.length);
      this.data = whole;
      this._add(from);
    }

    _add(from) {
      const fragment = document.createDocumentFragment();
      for (const [start, stop] of linesIn(this.data.subarray(from))) {
        this.stateOfLast = this.state;
        this.lastLine = from + start;
        const made = row(this.data.subarray(from + start, from + stop), this.offset + from + start, this.state);
        this.state = made.state;
        this.lines += 1;
        fragment.append(made.element);
      }
      this.element.append(fragment);
    }

    // Write the numbers of the lines; a line that was begun in the chunk before has none.
    number(first, hrefOf) {
      this.first = first;
      let line = first;
      let begins = this.startsLine;
      for (const element of this.element.children) {
        const link = element.firstChild;
        const offset = element.dataset.offset;
        link.href = hrefOf(line, offset);
        link.setAttribute("aria-label", line === null ? "Byte " + offset : "Line " + line);
        link.dataset.n = line === null ? "·" : begins ? line : "";
        element.dataset.line = line === null || !begins ? "" : line;
        begins = true;
        if (line !== null) line += 1;
      }
    }

    // The element of the line in which a byte stands.
    rowAt(offset) {
      const rows = this.element.children;
      let low = 0;
      let high = rows.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (Number(rows[middle].dataset.offset) <= offset) low = middle;
        else high = middle - 1;
      }
      return rows[low] || null;
    }
  }

  Object.assign(window.centroLog, { Chunk: Chunk, bounded: bounded, countNewlines: countNewlines });
})();
