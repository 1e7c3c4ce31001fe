// The output of a run: its viewer, with tabs for the streams, buttons, keys, and links to lines.
(function () {
  "use strict";
  const root = document.getElementById("log-viewer");
  if (!root) return;
  const { LogView, LogSearch, size } = window.centroLog;
  const find = (id) => document.getElementById(id);
  const view = new LogView(root);
  const search = new LogSearch(view, (text) => (find("log-count").textContent = text));
  const field = find("log-find");
  const folded = new Set();
  let painting = 0;
  let wrap = localStorage.getItem("centro-log-wrap") !== "no";

  // --- what the buttons and the foot show --------------------------------------------------------------------
  function pressed(button, state) {
    button.setAttribute("aria-pressed", state ? "true" : "false");
    button.classList.toggle("tone-primary", state);
  }

  function place() {
    const rows = view.window.chunks.reduce((sum, chunk) => sum + chunk.lines, 0);
    if (!view.seen || !rows) return "";
    const top = view.topOffset();
    const part = view.window.isAtEnd && view.window.reachesEnd ? 100 : Math.floor((top / view.seen) * 100);
    return size(view.seen) + " · " + part + " %";
  }

  function show() {
    const open = Boolean(view.source) && !view.complete;
    const fresh = find("log-fresh");
    root.dataset.state = view.busy ? "busy" : "idle";
    pressed(find("log-follow"), view.following);
    find("log-follow").hidden = !open;
    fresh.hidden = !view.fresh;
    fresh.textContent = view.text(view.fresh === 1 ? "newLine" : "newLines", { count: view.fresh });
    find("log-note").textContent = view.message || (view.heard && view.heard.source === "system" ? view.text("system") : "");
    find("log-dot").className = "log-dot " + (view.failed ? "is-away" : open ? "is-live" : "is-over");
    find("log-place").textContent = place();
    find("log-number").hidden = !(view.window.first && view.window.first.first === null && view.seen);
    if (view.source) find("log-download").href = view.source.download();
    fold();
    if (search.hits.length && !painting) painting = requestAnimationFrame(paint);
  }

  function paint() {
    painting = 0;
    search.paint();
  }

  function showWrap() {
    view.area.classList.toggle("log-long", !wrap);
    pressed(find("log-wrap"), wrap);
    view.resized();
  }

  // --- groups: lines from ::group:: to ::endgroup:: fold ----------------------------------------------------
  function fold() {
    if (!folded.size && !view.area.querySelector(".log-folded")) return;
    let hides = false;
    view.area.querySelectorAll(".log-row").forEach(function (row) {
      const mark = row.dataset.mark;
      if (mark === "group") hides = false;
      row.classList.toggle("log-folded", hides);
      if (mark === "group") {
        hides = folded.has(row.dataset.offset);
        row.classList.toggle("is-closed", hides);
      }
      if (mark === "endgroup") hides = false;
    });
    view.window.space();
  }

  // --- streams and places ------------------------------------------------------------------------------------
  function placeOf(hash) {
    const found = /^#(?:([a-z]+(?::\d+)?)-)?([LB])(\d{1,15})$/.exec(hash);
    if (!found) return null;
    const number = Number(found[3]);
    return { stream: found[1] || "", place: found[2] === "L" ? { line: Math.max(1, number) } : { offset: number } };
  }

  function open(stream, where) {
    search.clear();
    folded.clear();
    root.dataset.stream = stream;
    root.querySelector(".log").setAttribute("aria-label", view.text("label", { stream: stream }));
    document.querySelectorAll('[role="tab"][data-stream]').forEach(function (tab) {
      const chosen = tab.dataset.stream === stream;
      tab.setAttribute("aria-selected", chosen ? "true" : "false");
      tab.tabIndex = chosen ? 0 : -1;
      if (chosen) find("output-panel").setAttribute("aria-labelledby", tab.id);
    });
    const tasks = find("log-task");
    if (tasks) tasks.value = stream.startsWith("task:") ? stream : "";
    return view.open(stream, where);
  }

  view.topOffset = function () {
    const row = view.window.topRow();
    return row ? Number(row.dataset.offset) : view.window.start;
  };

  // Bring a line to sight, for the search.
  view.visit = function (offset) {
    folded.clear();
    return view.work(async function () {
      await view.jump(offset);
      view.mark(offset);
      await view.fill(false);
      view.mark(offset);
      await view.count();
    });
  };

  // --- actions -----------------------------------------------------------------------------------------------
  function look(step) {
    const pattern = field.value;
    if (!pattern && search.wanted && search.wanted.errors) return search.move(step);
    if (!pattern) return search.clear();
    const regex = find("log-regex").checked ? 1 : undefined;
    const wanted = { pattern: pattern, regex: regex, ignore_case: /[A-Z]/.test(pattern) ? undefined : 1 };
    return search.find(wanted, step);
  }

  function error() {
    field.value = "";
    return search.find({ errors: 1 }, 1);
  }

  function toggleWrap() {
    wrap = !wrap;
    localStorage.setItem("centro-log-wrap", wrap ? "yes" : "no");
    view.window.still(showWrap);
  }

  async function copy() {
    const piece = await view.source.piece({ lines: "whole", limit: 1048576 });
    const text = new TextDecoder().decode(piece.data).split("\n").map(window.centroAnsi.plain).join("\n");
    const button = find("log-copy");
    try {
      await navigator.clipboard.writeText(text);
    } catch (refused) {
      getSelection().selectAllChildren(view.window.lines); // no clipboard without https: what is shown
      document.execCommand("copy");
    }
    button.classList.add("tone-success");
    setTimeout(() => button.classList.remove("tone-success"), 1200);
  }

  const actions = {
    "log-follow": () => view.toggleFollow(),
    "log-fresh": () => view.toEnd().then(() => view.follow(!view.complete)),
    "log-top": () => view.toStart(),
    "log-bottom": () => view.toEnd(),
    "log-next": () => look(1),
    "log-previous": () => look(-1),
    "log-error": error,
    "log-wrap": toggleWrap,
    "log-copy": () => view.work(copy),
    "log-number": () => view.numberLines(),
  };
  const keys = {
    f: "log-follow", w: "log-wrap", e: "log-error", n: "log-next", N: "log-previous", Home: "log-top", End: "log-bottom",
  };

  root.addEventListener("click", function (event) {
    const button = event.target.closest("button");
    if (button && actions[button.id]) return void actions[button.id]();
    const row = event.target.closest(".log-row");
    if (row && row.dataset.mark === "group" && !event.target.closest("a") && getSelection().isCollapsed) {
      const offset = row.dataset.offset;
      if (!folded.delete(offset)) folded.add(offset);
      return view.window.still(fold);
    }
    const link = event.target.closest(".log-number");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    const line = row.dataset.line ? "L" + row.dataset.line : "B" + row.dataset.offset;
    history.replaceState(null, "", "#" + view.source.stream + "-" + line);
    view.target = Number(row.dataset.offset);
    view.paint();
  });

  view.area.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") field.focus();
    else if (keys[event.key]) actions[keys[event.key]]();
    else return;
    event.preventDefault();
  });

  find("log-form").addEventListener("submit", function (event) {
    event.preventDefault();
    look(1);
  });
  field.addEventListener("input", () => field.value || search.clear());
  field.addEventListener("keydown", function (event) {
    if (event.key === "Enter" && event.shiftKey) {
      event.preventDefault();
      look(-1);
    } else if (event.key === "Escape") {
      field.value = "";
      search.clear();
      view.area.focus();
    }
  });
  find("log-regex").addEventListener("change", () => field.value && look(1));

  document.addEventListener("click", function (event) {
    const tab = event.target.closest('[role="tab"][data-stream]');
    if (!tab || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(tab.dataset.stream);
  });
  if (find("log-task")) find("log-task").addEventListener("change", (event) => event.target.value && open(event.target.value));

  window.addEventListener("hashchange", function () {
    const found = placeOf(location.hash);
    if (found) open(found.stream || view.source.stream, found.place);
  });

  view.listeners.push(show);
  showWrap();
  const asked = placeOf(location.hash);
  open((asked && asked.stream) || root.dataset.stream, asked && asked.place);
  if (asked) root.scrollIntoView({ block: "start" });
  window.centroOutput = view;
})();
