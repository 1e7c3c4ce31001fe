// Pages that follow runs or transfers by websocket: a message makes the page read its live part again, at once.
// The parts' own polling goes on underneath, slower while the websocket is well, and alone while there is none.
(function () {
  "use strict";
  const address = document.body.dataset.socket;
  const parts = ["run-live", "runs-live", "dashboard-live", "transfers-live"];
  const SILENCE = 75000; // heartbeats come every 30 s at the latest
  const SLOW_POLL = 20000;
  const HIDDEN = 60000; // a page that nobody has looked at for so long gives its websocket back
  const OVER = [1000, 4401, 4403]; // coming again would not help: over, logged out, no longer allowed
  const pause = address && address.endsWith("/ws/runs/") ? 1000 : 150;

  let socket = null;
  let healthy = false;
  let ended = false;
  let failures = 0;
  let last = null; // number of the last event seen, to go on after a break
  let silence = 0;
  let again = 0;
  let hiding = 0;
  let pushing = false;
  const state = new Map(); // by part: when it was read, the request under way, whether to read it once more

  function of(id) {
    if (!state.has(id)) state.set(id, { read: 0, xhr: null, wanted: false, timer: 0 });
    return state.get(id);
  }

  // --- reading the live parts ------------------------------------------------------------------------------
  function read(id) {
    const part = document.getElementById(id);
    if (!part || document.hidden) return;
    const now = of(id);
    const wait = now.read + pause - Date.now();
    if (now.xhr || wait > 0) {
      now.wanted = true;
      if (!now.xhr && !now.timer) {
        now.timer = setTimeout(function () {
          now.timer = 0;
          if (now.wanted) read(id);
        }, wait);
      }
      return;
    }
    // A list of runs that are all over does not poll, but a new run belongs to it.
    const where = part.getAttribute("hx-get") || (id === "runs-live" ? location.pathname + location.search : null);
    if (!where) return;
    now.wanted = false;
    pushing = true;
    try {
      window.htmx.ajax("GET", where, {
        source: part, target: part, swap: "outerHTML", headers: { "X-Fragment": part.dataset.mark || "" },
      });
    } finally {
      pushing = false;
    }
  }

  function readAll() {
    parts.forEach(read);
  }

  document.addEventListener("htmx:beforeRequest", function (event) {
    const id = event.detail.elt.id;
    if (!parts.includes(id) || event.defaultPrevented) return;
    const now = of(id);
    if (!pushing && healthy && Date.now() - now.read < SLOW_POLL) {
      event.preventDefault();
      return;
    }
    now.read = Date.now();
    now.xhr = event.detail.xhr;
  });

  document.addEventListener("htmx:afterRequest", function (event) {
    // By its request: a part that was replaced has left the page, and htmx names its parent instead.
    state.forEach(function (now, id) {
      if (!now.xhr || now.xhr !== event.detail.xhr) return;
      now.xhr = null;
      if (now.wanted) read(id);
    });
  });

  // --- the websocket ---------------------------------------------------------------------------------------
  function listen() {
    clearTimeout(silence);
    silence = setTimeout(function () {
      if (socket) socket.close();
    }, SILENCE);
  }

  function received(event) {
    listen();
    const message = JSON.parse(event.data);
    if (message.type === "event") last = message.event.seq;
    else if (message.type === "snapshot" && last === null && message.seq) last = message.seq;
    if (message.type === "heartbeat") return;
    document.dispatchEvent(new CustomEvent("centro:message", { detail: message }));
    readAll();
  }

  function open() {
    clearTimeout(again);
    again = 0;
    if (socket || ended || document.hidden) return;
    const after = last === null ? "" : "?after=" + last;
    const scheme = location.protocol === "https:" ? "wss://" : "ws://";
    const own = new WebSocket(scheme + location.host + address + after);
    socket = own;
    own.addEventListener("open", function () {
      failures = 0;
      healthy = true;
      listen();
    });
    own.addEventListener("message", received);
    own.addEventListener("close", function (event) {
      if (socket !== own) return;
      clearTimeout(silence);
      socket = null;
      healthy = false;
      ended = OVER.includes(event.code);
      if (!ended) later();
    });
  }

  function later() {
    const most = Math.min(30000, 500 * Math.pow(2, failures));
    failures += 1;
    again = setTimeout(open, most * (0.5 + Math.random() / 2));
  }

  function give() {
    const own = socket;
    socket = null;
    healthy = false;
    clearTimeout(silence);
    clearTimeout(again);
    if (own) own.close();
  }

  document.addEventListener("visibilitychange", function () {
    clearTimeout(hiding);
    if (document.hidden) {
      hiding = setTimeout(give, HIDDEN);
    } else {
      open();
      readAll();
    }
  });
  window.addEventListener("pagehide", give);
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) open();
  });

  // Where the page shows a run that is over there is nothing to follow.
  const run = document.getElementById("run-live");
  if (address && window.WebSocket && (!run || run.hasAttribute("data-live"))) open();
})();
