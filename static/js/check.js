// The check panel follows what is typed: the instant part is asked again a moment after the last change.
(function () {
  "use strict";
  const form = document.getElementById("submit-form");
  const result = document.getElementById("result");
  const address = result.dataset.check;
  const PAUSE = 800;
  const LONGEST = 2000000; // characters; longer texts are checked by the button only
  let timer = 0;
  let shown = null;

  function text() {
    return form.elements.configuration.value + "\u0000" + form.elements.pipeline.value;
  }

  function ask() {
    const now = text();
    if (now === shown || now.length > LONGEST || form.elements.file.files.length) return;
    if (result.querySelector(".htmx-request")) return later(); // the system is being asked
    shown = now;
    result.dataset.quiet = "true"; // the page does not jump to an answer that nobody asked for
    result.classList.add("check-busy");
    htmx
      .ajax("POST", address, { source: result, target: result, swap: "innerHTML" })
      .catch(function () {})
      .finally(function () {
        delete result.dataset.quiet;
        result.classList.remove("check-busy");
        if (text() !== now) later();
      });
  }

  function later() {
    window.clearTimeout(timer);
    timer = window.setTimeout(ask, PAUSE);
  }

  if (address) {
    // a draft, an example or an earlier run's text that the page came with is checked like one that is typed
    const judged = result.querySelector("#fault-count, #check-good");
    if (judged || !form.elements.configuration.value.trim()) shown = text();
    else later();
    document.addEventListener("centro:configuration", later);
    form.elements.pipeline.addEventListener("change", later);
  }

  // What was said about another text counts no more once this one was asked for by a button.
  document.addEventListener("htmx:beforeRequest", function (event) {
    if (event.target.id === "check-button" || event.target.id === "plan-button") {
      window.clearTimeout(timer);
      shown = text();
    }
  });

  // The button says what it will do after the system had something against the run.
  function relabel() {
    const label = document.getElementById("submit-label");
    if (result.querySelector("#preflight-bad")) {
      if (!label.dataset.before) label.dataset.before = label.textContent;
      label.textContent = result.dataset.anyway;
    } else if (label.dataset.before) {
      if (label.textContent === result.dataset.anyway) label.textContent = label.dataset.before;
      delete label.dataset.before;
    }
  }
  document.addEventListener("htmx:afterSwap", relabel);
  relabel();

  form.addEventListener("submit", function (event) {
    const wait = document.getElementById("submit-wait");
    if (!event.defaultPrevented && event.submitter && event.submitter.id === "submit-button") wait.hidden = false;
  });
  window.addEventListener("pageshow", function () {
    document.getElementById("submit-wait").hidden = true;
  });
})();
