// The draft: what is written on the page is kept on the server a moment later; the browser itself keeps no text.
(function () {
  "use strict";
  const PAUSE = 1200;
  const LONGEST = 8000; // saved at the latest after this, however busily one types
  const TOKEN = "centro-form-token";
  const form = document.getElementById("submit-form");
  const status = document.getElementById("draft-status");
  const field = form.querySelector("textarea[name=configuration]");
  if (!status || !status.dataset.address) return;
  const texts = JSON.parse(form.dataset.texts);
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
  let revision = Number(status.dataset.revision);
  let saved = key();
  let timer = null;
  let since = 0;
  let busy = false;
  let stopped = false;

  function key() {
    return form.elements.pipeline.value + "\n" + field.value;
  }

  function say(text, isBad) {
    status.textContent = text;
    status.classList.toggle("is-bad", Boolean(isBad));
  }

  function address() {
    const query = new URLSearchParams({ revision: String(revision) });
    for (const name of ["pipeline", "token", "origin"]) query.set(name, form.elements[name] ? form.elements[name].value : "");
    return status.dataset.address + "?" + query;
  }

  async function save(isLast) {
    clearTimeout(timer);
    timer = null;
    if (stopped || busy || key() === saved) return;
    busy = true;
    since = 0;
    const sending = key();
    try {
      const response = await fetch(address(), {
        method: "PUT",
        body: field.value,
        headers: { "Content-Type": "text/plain; charset=utf-8", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value },
        credentials: "same-origin",
        redirect: "error",
        keepalive: Boolean(isLast) && field.value.length < 20000,
      });
      const answer = await response.json();
      if (response.ok) {
        revision = answer.revision;
        saved = sending;
        say(texts.saved.replace("%time", clock.format(new Date(answer.saved_at))));
      } else {
        stopped = response.status === 409 || response.status === 403;
        say(answer.errors[0].message, true);
      }
    } catch (error) {
      say(texts.notSaved, true);
      if (!stopped) timer = setTimeout(save, 10 * PAUSE);
    }
    busy = false;
    if (!timer && key() !== sending) later();
  }

  function later() {
    if (stopped) return;
    since = since || Date.now();
    clearTimeout(timer);
    timer = setTimeout(save, Math.max(0, Math.min(PAUSE, since + LONGEST - Date.now())));
  }

  document.addEventListener("centro:configuration", later);
  form.elements.pipeline.addEventListener("change", later);
  document.addEventListener("visibilitychange", function () {
    if (document.hidden) save(true);
  });

  // What is sent is kept by the server with the run; what is discarded must not come back.
  form.addEventListener("submit", function (event) {
    if (event.defaultPrevented) return;
    stopped = true;
    clearTimeout(timer);
    const isRun = !event.submitter || event.submitter.value === "submit";
    if (isRun) sessionStorage.setItem(TOKEN, form.elements.token.value);
  });
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) stopped = false;
  });

  // Back from the run that this form became: its text is there again, and the same form gives the same run.
  async function comeBack() {
    const arrival = performance.getEntriesByType("navigation")[0];
    if (!arrival || arrival.type !== "back_forward" || form.dataset.refused) return;
    const response = await fetch(status.dataset.address, { headers: { Accept: "application/json" } });
    const { draft } = await response.json();
    if (!draft || !draft.token || draft.token !== sessionStorage.getItem(TOKEN)) return;
    revision = draft.revision;
    for (const name of ["pipeline", "token", "origin"]) form.elements[name].value = draft[name];
    document.dispatchEvent(new CustomEvent("centro:take", { detail: { text: draft.text } }));
    saved = key();
  }
  comeBack();
})();
