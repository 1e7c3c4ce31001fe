// Files from this computer to a system: straight to the store in parts, with pause and resume.
// The page works without this file for downloads and for the list; uploads need it.
(function () {
  "use strict";
  const panel = document.getElementById("upload");
  if (!panel) return;

  const FILES_AT_ONCE = 3;
  const PARTS_AT_ONCE = 4;
  const LINKS_AT_ONCE = 20;
  const TRIES = 8;
  const LONGEST_WAIT = 15000;
  const MEMORY = "centro-uploads";
  const text = panel.dataset;
  const list = document.getElementById("upload-list");
  const rowTemplate = document.getElementById("upload-row");
  const system = document.getElementById("upload-system");
  const folder = document.getElementById("upload-folder");
  const zone = document.getElementById("upload-zone");
  const items = [];
  let activeFiles = 0;

  // --- small things ------------------------------------------------------------------------------------------
  function bytes(number) {
    const units = ["bytes", "KB", "MB", "GB", "TB"];
    let unit = 0;
    while (number >= 1024 && unit < units.length - 1) {
      number /= 1024;
      unit += 1;
    }
    return (unit && number < 10 ? number.toFixed(1) : Math.round(number)) + " " + units[unit];
  }

  function span(seconds) {
    if (seconds < 60) return Math.ceil(seconds) + " s";
    if (seconds < 3600) return Math.ceil(seconds / 60) + " min";
    return Math.floor(seconds / 3600) + " h " + Math.ceil((seconds % 3600) / 60) + " min";
  }

  function pause(milliseconds) {
    return new Promise(function (resolve) {
      setTimeout(resolve, milliseconds);
    });
  }

  class Halted extends Error {}

  class Refused extends Error {
    constructor(message, status) {
      super(message);
      this.status = status;
    }
  }

  const slots = {
    free: PARTS_AT_ONCE,
    waiting: [],
    async enter() {
      if (this.free > 0) this.free -= 1;
      else await new Promise((resolve) => this.waiting.push(resolve));
    },
    leave() {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    },
  };

  // What was begun here before, so that choosing the same file again goes on where it stopped.
  const memory = {
    read() {
      try {
        return JSON.parse(localStorage.getItem(MEMORY)) || {};
      } catch (error) {
        return {};
      }
    },
    write(key, id) {
      const known = this.read();
      delete known[key];
      if (id) known[key] = id;
      const kept = Object.entries(known).slice(-200);
      try {
        localStorage.setItem(MEMORY, JSON.stringify(Object.fromEntries(kept)));
      } catch (error) {
        // A full or forbidden storage: after a reload the upload begins anew.
      }
    },
  };

  // --- the API -----------------------------------------------------------------------------------------------
  async function ask(method, address, body) {
    const headers = { Accept: "application/json", "X-CSRFToken": text.csrf };
    if (body) headers["Content-Type"] = "application/json";
    const sent = { method, headers, credentials: "same-origin", body: body && JSON.stringify(body) };
    const answer = await fetch(address, sent);
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Refused(said.detail || text.error + " (" + answer.status + ")", answer.status);
    return said;
  }

  function put(item, link, piece) {
    return new Promise(function (resolve, reject) {
      const request = new XMLHttpRequest();
      item.requests.add(request);
      const entry = { sent: 0 };
      item.flying.add(entry);
      function over(error) {
        item.requests.delete(request);
        item.flying.delete(entry);
        error ? reject(error) : resolve();
      }
      request.open("PUT", link.url);
      Object.entries(link.headers || {}).forEach(([name, value]) => request.setRequestHeader(name, value));
      request.upload.onprogress = function (event) {
        entry.sent = event.loaded;
        show(item);
      };
      request.onload = function () {
        const good = request.status >= 200 && request.status < 300;
        over(good ? null : new Refused(text.error + " (" + request.status + ")", request.status));
      };
      request.onerror = () => over(new Refused(text.lost, 0));
      request.onabort = () => over(new Halted());
      request.send(piece);
    });
  }

  // --- one file ----------------------------------------------------------------------------------------------
  async function begin(item) {
    const known = memory.read()[item.key];
    if (known) {
      try {
        const found = await ask("GET", text.api + known + "/parts/");
        return Object.assign(item, { id: known, partSize: found.part_size, done: new Set(found.done) });
      } catch (error) {
        if (!(error instanceof Refused) || !error.status) throw error;
        memory.write(item.key, null); // it has ended or is gone
      }
    }
    const made = await ask("POST", text.api, {
      direction: "upload", system: item.system, path: item.folder, name: item.name, size: item.file.size,
    });
    memory.write(item.key, made.id);
    return Object.assign(item, { id: made.id, partSize: made.part_size, done: new Set() });
  }

  function partCount(item) {
    return Math.max(1, Math.ceil(item.file.size / item.partSize));
  }

  function partBytes(item, number) {
    return Math.max(0, Math.min(item.partSize, item.file.size - (number - 1) * item.partSize));
  }

  async function link(item, number) {
    if (!item.links.has(number)) {
      if (!item.asking) {
        const numbers = [];
        for (let n = number; n <= partCount(item) && numbers.length < LINKS_AT_ONCE; n += 1) {
          if (!item.done.has(n)) numbers.push(n);
        }
        item.asking = ask("POST", text.api + item.id + "/parts/", { numbers }).finally(() => (item.asking = null));
      }
      const found = await item.asking;
      found.links.forEach((one) => item.links.set(one.number, one));
      if (!item.links.has(number)) return link(item, number);
    }
    return item.links.get(number);
  }

  async function sendPart(item, number, run) {
    for (let tried = 1; ; tried += 1) {
      if (item.run !== run) throw new Halted();
      await slots.enter();
      try {
        if (item.run !== run) throw new Halted();
        const start = (number - 1) * item.partSize;
        await put(item, await link(item, number), item.file.slice(start, start + partBytes(item, number)));
        item.done.add(number);
        show(item);
        return;
      } catch (error) {
        item.links.delete(number); // it may be over its time
        const ours = error instanceof Refused && error.status >= 400 && error.status < 500 && error.status !== 403;
        if (error instanceof Halted || tried >= TRIES || (ours && error.status !== 408 && error.status !== 429)) {
          throw error;
        }
      } finally {
        slots.leave();
      }
      say(item, text.again);
      await pause(Math.min(LONGEST_WAIT, 500 * 2 ** tried));
    }
  }

  async function sendAll(item, run) {
    let next = 1;
    const count = partCount(item);
    async function worker() {
      while (next <= count) {
        const number = next;
        next += 1;
        if (!item.done.has(number)) await sendPart(item, number, run);
      }
    }
    const workers = Array.from({ length: Math.min(PARTS_AT_ONCE, count) }, worker);
    try {
      await Promise.all(workers);
    } catch (error) {
      next = count + 1;
      if (item.run === run) item.requests.forEach((request) => request.abort());
      await Promise.allSettled(workers);
      throw error;
    }
  }

  async function upload(item) {
    // A pause ends this attempt; what is still under way of it must not disturb the next one.
    const run = (item.run += 1);
    activeFiles += 1;
    change(item, "sending");
    item.beganAt = performance.now();
    item.before = 0;
    try {
      if (!item.id) await begin(item);
      item.before = sentBytes(item);
      await sendAll(item, run);
      if (item.run !== run) throw new Halted();
      await ask("POST", text.api + item.id + "/complete/");
      memory.write(item.key, null);
      change(item, "sent");
      window.htmx.trigger("#transfers-live", "refresh");
    } catch (error) {
      if (item.run === run && !(error instanceof Halted)) {
        item.run += 1;
        item.error = error instanceof Refused ? error.message : text.lost;
        if (error instanceof Refused && [404, 409, 410].includes(error.status)) {
          memory.write(item.key, null);
          item.id = null;
        }
        change(item, "failed");
      }
    }
    activeFiles -= 1;
    advance();
  }

  function advance() {
    for (const item of items) {
      if (activeFiles >= FILES_AT_ONCE) return;
      if (item.state === "waiting") upload(item);
    }
  }

  // --- what is seen ------------------------------------------------------------------------------------------
  function sentBytes(item) {
    let sum = 0;
    if (item.partSize) item.done.forEach((number) => (sum += partBytes(item, number)));
    item.flying.forEach((entry) => (sum += entry.sent));
    return Math.min(sum, item.file.size);
  }

  function say(item, words) {
    const note = item.row.querySelector(".upload-note");
    if (note.textContent !== words) note.textContent = words;
  }

  function show(item) {
    const sent = item.state === "sent" ? item.file.size : sentBytes(item);
    const meter = item.row.querySelector("progress");
    meter.value = item.file.size ? sent / item.file.size : item.state === "sent" ? 1 : 0;
    let words = text[item.state];
    if (item.state === "sending") {
      words = bytes(sent) + " / " + bytes(item.file.size);
      const seconds = (performance.now() - item.beganAt) / 1000;
      const rate = (sent - item.before) / seconds;
      if (seconds > 1 && rate > 0) words += " · " + bytes(rate) + "/s · " + span((item.file.size - sent) / rate);
    } else if (item.state === "failed") words = item.error;
    else if (item.state === "paused") words += " · " + bytes(sent) + " / " + bytes(item.file.size);
    say(item, words);
  }

  function change(item, state) {
    item.state = state;
    item.row.dataset.state = state;
    const shown = {
      pause: state === "sending" || state === "waiting",
      resume: state === "paused" || (state === "failed" && item.id !== null),
      retry: state === "failed" && item.id === null, // nothing of it is kept: it begins again
      remove: true,
    };
    item.row.querySelectorAll("button[data-do]").forEach(function (button) {
      button.hidden = !shown[button.dataset.do];
    });
    item.row.querySelector(".upload-note").classList.toggle("bad", state === "failed");
    show(item);
    showAll();
  }

  function showAll() {
    document.getElementById("upload-all").hidden = items.length < 2;
    list.hidden = items.length === 0;
  }

  // --- what people do ----------------------------------------------------------------------------------------
  function stop(item) {
    item.run += 1;
    change(item, "paused");
    item.requests.forEach((request) => request.abort());
  }

  function resume(item) {
    item.links.clear();
    change(item, "waiting");
    advance();
  }

  async function remove(item) {
    const unfinished = item.id && item.state !== "sent";
    stop(item);
    items.splice(items.indexOf(item), 1);
    item.row.remove();
    memory.write(item.key, null);
    showAll();
    if (unfinished) {
      await ask("POST", text.api + item.id + "/cancel/").catch(() => null);
      window.htmx.trigger("#transfers-live", "refresh");
    }
  }

  function add(file, path) {
    const parts = path.split("/").filter(Boolean);
    const item = {
      file, state: "waiting", run: 0, id: null, partSize: 0, done: new Set(), links: new Map(), asking: null,
      requests: new Set(), flying: new Set(), error: "", system: system.value, folder: folder.value.trim(),
      name: parts.join("/"),
    };
    item.key = [item.system, item.folder, item.name, file.size, file.lastModified].join("|");
    item.row = rowTemplate.content.firstElementChild.cloneNode(true);
    item.row.querySelector(".upload-name").textContent = item.name;
    item.row.querySelector(".upload-size").textContent = bytes(file.size);
    item.row.querySelector("progress").setAttribute("aria-label", item.name);
    item.row.querySelectorAll("button[data-do]").forEach(function (button) {
      button.setAttribute("aria-label", button.textContent.trim() + ": " + item.name);
      button.addEventListener("click", () => ({ pause: stop, resume, retry: resume, remove })[button.dataset.do](item));
    });
    items.push(item);
    list.append(item.row);
    change(item, "waiting");
  }

  function ready() {
    folder.setCustomValidity(folder.value.trim() ? "" : text.where);
    return folder.reportValidity();
  }

  function addAll(found) {
    found.forEach(([file, path]) => add(file, path));
    advance();
  }

  function chosen(event) {
    const input = event.target;
    if (ready()) addAll(Array.from(input.files, (file) => [file, file.webkitRelativePath || file.name]));
    input.value = "";
  }

  function readEntries(reader) {
    return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
  }

  async function walk(entry, found) {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push([file, entry.fullPath]);
      return;
    }
    const reader = entry.createReader();
    for (let some = await readEntries(reader); some.length; some = await readEntries(reader)) {
      for (const one of some) await walk(one, found);
    }
  }

  async function dropped(event) {
    event.preventDefault();
    zone.classList.remove("dropping");
    // The entries are only there during the event itself.
    const entries = Array.from(event.dataTransfer.items, (one) => one.webkitGetAsEntry && one.webkitGetAsEntry());
    const files = Array.from(event.dataTransfer.files);
    if (!ready()) return;
    const found = [];
    for (let index = 0; index < Math.max(entries.length, files.length); index += 1) {
      if (entries[index]) await walk(entries[index], found);
      else if (files[index]) found.push([files[index], files[index].name]);
    }
    addAll(found);
  }

  panel.querySelectorAll("input[type=file]").forEach((input) => input.addEventListener("change", chosen));
  panel.querySelectorAll("[data-choose]").forEach(function (button) {
    button.addEventListener("click", () => ready() && document.getElementById(button.dataset.choose).click());
  });
  folder.addEventListener("input", () => folder.setCustomValidity(""));
  document.getElementById("upload-pause-all").addEventListener("click", function () {
    items.filter((item) => item.state === "sending" || item.state === "waiting").forEach(stop);
  });
  document.getElementById("upload-resume-all").addEventListener("click", function () {
    items.filter((item) => item.state === "paused" || item.state === "failed").forEach(resume);
  });
  ["dragenter", "dragover"].forEach((name) => zone.addEventListener(name, function (event) {
    event.preventDefault();
    zone.classList.add("dropping");
  }));
  zone.addEventListener("dragleave", () => zone.classList.remove("dropping"));
  zone.addEventListener("drop", dropped);
  // Somebody misses the zone: the browser must not leave the page for the file.
  ["dragover", "drop"].forEach((name) => document.addEventListener(name, (event) => event.preventDefault()));
  window.addEventListener("beforeunload", function (event) {
    if (items.some((item) => item.state === "sending" || item.state === "waiting")) event.preventDefault();
  });
  showAll();
})();
