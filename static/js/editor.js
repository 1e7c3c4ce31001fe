// The JSON editor: Ace over the plain text field, which stays the form's field and works alone without scripts.
(function () {
  "use strict";
  const form = document.getElementById("submit-form");
  const field = form.querySelector("textarea[name=configuration]");
  const frame = document.getElementById("editor-frame");
  const status = document.getElementById("syntax");
  const result = document.getElementById("result");
  const root = document.documentElement;

  ace.config.set("useStrictCSP", true); // styles come from files, none is written into the page
  ace.config.set("loadWorkerFromBlob", false);
  ace.config.setModuleUrl("ace/mode/json_worker", frame.dataset.worker);
  frame.hidden = false;
  field.hidden = true;
  field.required = false;

  const editor = ace.edit("editor", {
    mode: "ace/mode/json",
    value: field.value,
    tabSize: 2,
    useSoftTabs: true,
    showPrintMargin: false,
    fontSize: "14px",
    scrollPastEnd: 0.2,
    newLineMode: "unix",
    wrap: false,
  });
  editor.textInput.getElement().setAttribute("aria-label", frame.dataset.label);
  editor.textInput.getElement().setAttribute("aria-describedby", "syntax");
  editor.session.setUseWrapMode(false);
  editor.moveCursorTo(0, 0);
  window.centroEditor = editor;
  document.querySelector('label[for="' + field.id + '"]').addEventListener("click", function () {
    editor.focus();
  });

  function theme() {
    const dark = root.getAttribute("data-bs-theme") === "dark";
    editor.setTheme(dark ? "ace/theme/github_dark" : "ace/theme/github_light_default");
  }
  theme();
  root.addEventListener("centro:theme", theme);

  // Tab indents, as in every editor; Escape lets go, so that the keyboard is not caught.
  editor.commands.addCommand({
    name: "leave",
    bindKey: { win: "Esc", mac: "Esc" },
    exec: function () {
      editor.blur();
      document.getElementById("submit-button").focus();
    },
  });

  // --- live syntax marks -------------------------------------------------------------------------------------
  function place(line, column) {
    return frame.dataset.place.replace("%l", line).replace("%c", column);
  }

  function showSyntax() {
    const text = editor.getValue();
    const fault = editor.session.getAnnotations().find(function (note) {
      return note.type === "error";
    });
    status.classList.toggle("is-bad", Boolean(fault));
    status.classList.toggle("is-good", !fault && text.trim() !== "");
    if (fault) {
      status.textContent = place(fault.row + 1, fault.column + 1) + " " + fault.text;
    } else {
      status.textContent = text.trim() === "" ? frame.dataset.hint : frame.dataset.good;
    }
  }
  editor.session.on("changeAnnotation", showSyntax);
  showSyntax();

  // The field is the truth: what is typed here goes into it at once, what others wrote there is shown in time.
  editor.session.on("change", function () {
    field.value = editor.getValue();
    document.dispatchEvent(new CustomEvent("centro:configuration", { detail: { source: "json" } }));
  });

  function isSeen() {
    return frame.offsetParent !== null;
  }

  document.addEventListener("centro:tab", function (event) {
    if (event.detail.name !== "json") return;
    if (field.value.replace(/\r\n?/g, "\n") !== editor.getValue()) replaceText(field.value);
    editor.resize();
    markProblems();
  });

  // --- problems from the check -------------------------------------------------------------------------------
  const Range = ace.require("ace/range").Range;
  let marks = [];

  function markProblems() {
    marks.forEach(function (id) {
      editor.session.removeMarker(id);
    });
    marks = Array.from(result.querySelectorAll("[data-line]")).map(function (item) {
      const row = Number(item.dataset.line) - 1;
      return editor.session.addMarker(new Range(row, 0, row, 1), "problem-line", "fullLine");
    });
  }

  function jump(item) {
    editor.gotoLine(Number(item.dataset.line), Number(item.dataset.column || 1) - 1, false);
    editor.focus();
    frame.scrollIntoView({ block: "nearest" });
  }

  result.addEventListener("click", function (event) {
    const button = event.target.closest("[data-jump]");
    if (button) jump(button.closest("[data-line]"));
  });
  document.addEventListener("htmx:afterSwap", function (event) {
    if (event.detail.target !== result) return;
    markProblems();
    // On a narrow screen the answer is below what was written, out of sight.
    if (!result.dataset.quiet && result.getBoundingClientRect().top > window.innerHeight - 120) {
      result.closest(".panel").scrollIntoView({ block: "start" });
    }
  });
  markProblems();

  // --- text from elsewhere: an undoable replacement ------------------------------------------------------------
  function replaceText(text) {
    const last = editor.session.getLength() - 1;
    const all = new Range(0, 0, last, editor.session.getLine(last).length);
    editor.session.replace(all, text);
    editor.moveCursorTo(0, 0);
    if (isSeen()) editor.focus();
  }

  // Other parts of the page hand a text over: the workbook, the list of pipelines, the way back.
  document.addEventListener("centro:take", function (event) {
    replaceText(event.detail.text);
  });

  function say(sentence) {
    const list = document.createElement("p");
    list.className = "text-danger-emphasis";
    list.textContent = sentence;
    result.replaceChildren(list);
  }

  async function ask(action) {
    const data = new FormData(form);
    data.delete("file");
    data.set("action", action);
    try {
      const response = await fetch(form.getAttribute("action"), {
        method: "POST",
        body: data,
        headers: { Accept: "application/json" },
        credentials: "same-origin",
      });
      const answer = await response.json();
      if (response.ok) return replaceText(answer.text);
      const first = answer.errors[0];
      say((first.line ? place(first.line, first.column || 1) + " " : "") + first.message);
      if (first.line) editor.gotoLine(first.line, (first.column || 1) - 1, false);
    } catch (error) {
      document.getElementById("connection").hidden = false;
    }
  }

  ["example", "format"].forEach(function (action) {
    document.getElementById(action + "-button").addEventListener("click", function (event) {
      event.preventDefault();
      ask(action);
    });
  });

  const fileField = form.querySelector("input[type=file]");

  async function readFile(file) {
    if (file.size > 10000000) {
      say(file.name + ": " + Math.round(file.size / 100000) / 10 + " MB > 10 MB");
      return;
    }
    const bytes = await file.arrayBuffer();
    try {
      replaceText(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
      fileField.value = ""; // the text is in the editor now, where it can be changed
    } catch (error) {
      // Not UTF-8: let the server say so, with the place.
      document.getElementById("check-button").click();
    }
  }

  fileField.addEventListener("change", function () {
    if (fileField.files.length) readFile(fileField.files[0]);
  });
  document.addEventListener("centro:file", function (event) {
    readFile(event.detail.file);
  });

  // --- sending once ------------------------------------------------------------------------------------------
  form.addEventListener("submit", function (event) {
    if (event.submitter && event.submitter.value !== "submit") return;
    const button = document.getElementById("submit-button");
    if (button.getAttribute("aria-disabled") === "true") event.preventDefault();
    button.setAttribute("aria-disabled", "true"); // a disabled button would not be sent along
  });
  window.addEventListener("pageshow", function () {
    document.getElementById("submit-button").removeAttribute("aria-disabled");
  });
})();
