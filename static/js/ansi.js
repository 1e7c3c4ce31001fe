// What a terminal would show of one line: colours (SGR) as classes, overwritten text left out, nothing else obeyed.
(function () {
  "use strict";
  // ECMA-48: control sequences (colours, cursor), operating system commands (window titles), single escapes
  const ESCAPE = /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])/g;
  const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]/g;
  const PLAIN = Object.freeze({ fg: null, bg: null, marks: "" });
  const MARKS = { 1: "b", 2: "d", 3: "i", 4: "u", 7: "v", 9: "s" };
  const ENDS = { 22: "bd", 23: "i", 24: "u", 27: "v", 29: "s" };
  const NAMES = { b: "bold", d: "dim", i: "italic", u: "underline", s: "struck" };
  const BASE = [
    [0, 0, 0], [205, 49, 49], [13, 188, 121], [229, 229, 16], [36, 114, 200], [188, 63, 188], [17, 168, 205],
    [229, 229, 229], [102, 102, 102], [241, 76, 76], [35, 209, 139], [245, 245, 67], [59, 142, 234],
    [214, 112, 214], [41, 184, 219], [255, 255, 255],
  ];

  // The nearest of the sixteen colours that the page knows, so that every colour is readable in every scheme.
  function nearest(red, green, blue) {
    let best = 0;
    let least = Infinity;
    BASE.forEach(function (colour, index) {
      const away = (colour[0] - red) ** 2 + (colour[1] - green) ** 2 + (colour[2] - blue) ** 2;
      if (away < least) [best, least] = [index, away];
    });
    return best;
  }

  function of256(number) {
    if (number < 16) return number;
    if (number > 231) return nearest(...Array(3).fill(8 + (number - 232) * 10));
    const level = [0, 95, 135, 175, 215, 255];
    const cube = number - 16;
    return nearest(level[Math.floor(cube / 36)], level[Math.floor(cube / 6) % 6], level[cube % 6]);
  }

  // 38 or 48 and what follows: [the colour or null, how many numbers it took]
  function extended(codes, at) {
    const byte = (value) => (value >= 0 && value <= 255 ? value : 0);
    if (codes[at + 1] === 5) return [of256(byte(codes[at + 2])), 2];
    if (codes[at + 1] === 2) return [nearest(byte(codes[at + 2]), byte(codes[at + 3]), byte(codes[at + 4])), 4];
    return [null, 1];
  }

  function select(state, text) {
    const codes = text.split(/[;:]/).map((word) => (word === "" ? 0 : Number(word)));
    let { fg, bg, marks } = state;
    for (let at = 0; at < codes.length; at += 1) {
      const code = codes[at];
      if (code === 0) [fg, bg, marks] = [null, null, ""];
      else if (MARKS[code]) marks = marks.includes(MARKS[code]) ? marks : marks + MARKS[code];
      else if (ENDS[code]) marks = Array.from(marks).filter((mark) => !ENDS[code].includes(mark)).join("");
      else if (code >= 30 && code <= 37) fg = code - 30;
      else if (code >= 90 && code <= 97) fg = code - 82;
      else if (code === 39) fg = null;
      else if (code >= 40 && code <= 47) bg = code - 40;
      else if (code >= 100 && code <= 107) bg = code - 92;
      else if (code === 49) bg = null;
      else if (code === 38 || code === 48) {
        const [colour, taken] = extended(codes, at);
        if (code === 38) fg = colour;
        else bg = colour;
        at += taken;
      }
    }
    return { fg, bg, marks };
  }

  function classes(state) {
    const inverse = state.marks.includes("v");
    const fg = inverse ? state.bg : state.fg;
    const bg = inverse ? state.fg : state.bg;
    const names = [];
    if (inverse && fg === null && bg === null) names.push("ansi-inverse");
    if (fg !== null) names.push("ansi-f" + fg);
    if (bg !== null) names.push("ansi-on", "ansi-b" + bg);
    for (const mark of state.marks) if (NAMES[mark]) names.push("ansi-" + NAMES[mark]);
    return names.join(" ");
  }

  // One line without its newline: {parts: [{text, classes}], state: how the next line begins}. What stands before
  // a carriage return was overwritten (progress bars); its colours still count.
  function line(text, state) {
    const parts = [];
    const body = text.replace(/\r+$/, "");
    const visible = body.lastIndexOf("\r") + 1;
    let at = 0;
    function show(from, to) {
      const shown = body.slice(Math.max(from, visible), to).replace(CONTROL, "\ufffd");
      if (shown) parts.push({ text: shown, classes: classes(state) });
    }
    ESCAPE.lastIndex = 0;
    for (let found = ESCAPE.exec(body); found; found = ESCAPE.exec(body)) {
      if (found.index > at) show(at, found.index);
      at = found.index + found[0].length;
      if (found[2] === "m" && /^[0-9;:]*$/.test(found[1])) state = select(state, found[1]);
    }
    if (at < body.length) show(at, body.length);
    return { parts: parts, state: state };
  }

  function plain(text) {
    return line(text, PLAIN).parts.map((part) => part.text).join("");
  }

  window.centroAnsi = { PLAIN: PLAIN, line: line, plain: plain };
})();
