// The submission page: three tabs over one text, the form that belongs to the chosen version, files dropped anywhere.
(function () {
  "use strict";
  const { json, Form } = window.centroForm;
  const form = document.getElementById("submit-form");
  const field = form.querySelector("textarea[name=configuration]");
  const result = document.getElementById("result");
  const chooser = form.elements.pipeline;
  const area = document.getElementById("form-root");
  const notice = document.getElementById("form-notice");
  const label = document.getElementById("submit-label");
  const count = document.querySelector("#tab-form .tab-count");
  const texts = JSON.parse(form.dataset.texts);
  const names = ["form", "json", "workbook"].filter((name) => document.getElementById("tab-" + name));
  const WAIT = 250;
  const KEPT = "centro-submit-tab";
  const known = new Map(); // reference -> what the server says of the version
  let current = "json";
  let written = null; // the text that the form shows
  let timer = null;
  let asked = 0;

  const view = new Form(area, texts, function () {
    clearTimeout(timer);
    timer = setTimeout(flush, WAIT);
  });

  // --- text and form -----------------------------------------------------------------------------------------
  function put(text, source) {
    field.value = text;
    document.dispatchEvent(new CustomEvent("centro:configuration", { detail: { source } }));
  }

  // Write what was edited in the form into the text, now.
  function flush() {
    if (timer === null) return;
    clearTimeout(timer);
    timer = null;
    named();
    written = json.stringify(view.root) + "\n";
    put(written, "form");
  }

  // A schema that asks for the pipeline's name gets it, and so does an empty configuration.
  function named() {
    const required = view.schema.resolve(view.schema.root, view.root).required || [];
    if (view.root.has("pipeline") || !chooser.value || !required.includes("pipeline")) return;
    view.root = new Map([["pipeline", chooser.value], ...view.root]);
  }

  function tell(text) {
    notice.textContent = text;
    notice.hidden = !text;
    area.hidden = Boolean(text);
  }

  function parsed() {
    if (field.value.trim() === "") return new Map();
    const root = json.parse(field.value);
    if (!(root instanceof Map)) throw new json.Fault("object", 0);
    return root;
  }

  function place(at) {
    const before = field.value.slice(0, at).split("\n");
    return texts.place.replace("%line", before.length).replace("%column", before[before.length - 1].length + 1);
  }

  async function about(reference) {
    if (known.has(reference)) return known.get(reference);
    const [name, version] = reference.split(/@(.*)/s);
    const query = version ? "?version=" + encodeURIComponent(version) : "";
    const response = await fetch(area.dataset.schema.replace("NAME", encodeURIComponent(name)) + query, {
      headers: { Accept: "application/json" },
      credentials: "same-origin",
      redirect: "error",
    });
    if (response.status === 404) return null;
    if (!response.ok) throw new Error(String(response.status));
    const answer = await response.json();
    known.set(reference, answer);
    return answer;
  }

  // Draw the form anew from the text. What cannot be a form is said, and stays as it is in the JSON.
  async function draw() {
    const text = field.value;
    let root;
    try {
      root = parsed();
    } catch (error) {
      return tell((texts[error.code] || texts.syntax) + " " + place(error.at || 0));
    }
    const inText = root.get("pipeline");
    const reference = chooser.value || (typeof inText === "string" ? inText : "");
    if (!reference) return tell(texts.choose);
    asked += 1;
    const mine = asked;
    if (!known.has(reference)) tell(texts.loading);
    let answer;
    try {
      answer = await about(reference);
    } catch (error) {
      return mine === asked ? tell(texts.noSchema) : undefined;
    }
    if (mine !== asked) return;
    if (field.value !== text) return draw(); // it was changed while the server was asked
    if (answer === null) return tell(texts.unknownPipeline.replace("%value", () => reference));
    tell("");
    written = text;
    view.load(root, answer);
    takeFaults();
  }

  // --- tabs --------------------------------------------------------------------------------------------------
  function show(name, isChosen) {
    flush();
    current = name;
    for (const one of names) {
      const tab = document.getElementById("tab-" + one);
      tab.setAttribute("aria-selected", String(one === name));
      tab.tabIndex = one === name ? 0 : -1;
      document.getElementById("panel-" + one).hidden = one !== name;
    }
    if (isChosen) localStorage.setItem(KEPT, name);
    if (name === "form" && written !== field.value) draw();
    document.dispatchEvent(new CustomEvent("centro:tab", { detail: { name } }));
  }

  for (const name of names) {
    document.getElementById("tab-" + name).addEventListener("click", function () {
      show(name, true);
    });
  }

  // --- changes from elsewhere --------------------------------------------------------------------------------
  let soon = null;
  document.addEventListener("centro:configuration", function (event) {
    label.textContent = label.dataset.plain;
    if (event.detail && event.detail.source === "form") return;
    clearTimeout(soon);
    soon = setTimeout(function () {
      if (current === "form" && written !== field.value) draw();
    }, WAIT);
  });

  // The list and the name in the text say the same: the choice goes into a text that names a pipeline.
  chooser.addEventListener("change", function () {
    flush();
    label.textContent = label.dataset.plain;
    let root = null;
    try {
      root = parsed();
    } catch (error) {
      root = new Map(); // the text stays; the check says what is wrong with it
    }
    if (chooser.value && root.has("pipeline") && root.get("pipeline") !== chooser.value) {
      root.set("pipeline", chooser.value);
      document.dispatchEvent(new CustomEvent("centro:take", { detail: { text: json.stringify(root) + "\n", isQuiet: true } }));
    }
    if (current === "form") draw();
  });

  // Before anything reads the text: a click on a button, a form that is sent.
  document.addEventListener("click", flush, true);
  form.addEventListener("submit", function () {
    flush();
    localStorage.setItem(KEPT, current); // a refused form is shown in the tab that it was sent from
  }, true);
  area.addEventListener("keydown", function (event) {
    // Enter would press the page's first button
    if (event.key === "Enter" && event.target.matches("input")) event.preventDefault();
  });

  // --- what the check says -----------------------------------------------------------------------------------
  function takeFaults() {
    const faults = Array.from(result.querySelectorAll("[data-pointer]"), function (item) {
      const message = item.querySelector(".message");
      return { pointer: item.dataset.pointer, code: item.dataset.code, text: message ? message.textContent.trim() : "" };
    });
    view.setFaults(faults.filter((fault) => fault.text));
    const wrong = result.querySelectorAll(".problem[data-pointer]:not(.is-hint)").length;
    count.textContent = wrong ? String(wrong) : "";
    count.hidden = !wrong;
    const good = result.querySelector("[data-submit-label]");
    label.textContent = good ? good.dataset.submitLabel : label.dataset.plain;
  }

  document.addEventListener("htmx:afterSwap", function (event) {
    if (event.detail.target === result) takeFaults();
  });
  result.addEventListener("click", function (event) {
    const item = event.target.closest("[data-jump]") && event.target.closest("[data-pointer]");
    if (!item || current === "json") return;
    if (current === "form" && !area.hidden && view.focus(item.dataset.pointer)) {
      event.stopImmediatePropagation();
      return;
    }
    show("json", false);
  }, true);

  // --- files dropped anywhere --------------------------------------------------------------------------------
  function isFiles(event) {
    return event.dataTransfer && Array.from(event.dataTransfer.types).includes("Files");
  }

  function toWorkbook(files) {
    const input = document.querySelector("#panel-workbook input[type=file]");
    if (!input) return;
    show("workbook", false);
    const held = new DataTransfer();
    held.items.add(files[0]);
    input.files = held.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  ["dragover", "dragleave", "drop"].forEach(function (name) {
    document.addEventListener(name, function (event) {
      if (!isFiles(event)) return;
      event.preventDefault();
      form.classList.toggle("dropping", name === "dragover");
      const files = event.dataTransfer.files;
      if (name !== "drop" || !files.length) return;
      event.stopPropagation();
      if (/\.xls[xm]?$/i.test(files[0].name)) return toWorkbook(files);
      if (current === "workbook") show("json", false);
      document.dispatchEvent(new CustomEvent("centro:file", { detail: { file: files[0] } }));
    }, true);
  });

  // --- the first look ----------------------------------------------------------------------------------------
  const wanted = [form.dataset.tab, localStorage.getItem(KEPT), "form"];
  show(wanted.find((name) => names.includes(name)), false);
  takeFaults();
})();
