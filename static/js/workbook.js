// The tab "Workbook": checks a file as soon as it is chosen, hands a good one to the editor.
(function () {
  "use strict";
  const form = document.getElementById("workbook-form");
  const file = document.getElementById("workbook-file");
  const result = document.getElementById("workbook-result");
  const wait = document.getElementById("workbook-wait");
  const chooser = document.getElementById("id_pipeline");
  const own = document.getElementById("workbook-pipeline");
  if (!form || !file || !result) return;
  let asked = 0;

  function failed() {
    const sentence = document.createElement("p");
    sentence.setAttribute("role", "alert");
    sentence.textContent = result.dataset.failed;
    result.replaceChildren(sentence);
  }

  async function check() {
    if (!file.files.length) return;
    asked += 1;
    const mine = asked;
    wait.hidden = false;
    result.setAttribute("aria-busy", "true");
    try {
      const data = new FormData(form);
      data.set("action", "check");
      if (chooser && chooser.value) data.set("pipeline", chooser.value);
      const answer = await fetch(form.getAttribute("action"), {
        method: "POST",
        body: data,
        headers: { "HX-Request": "true" },
        credentials: "same-origin",
        redirect: "error",
      });
      if (answer.status === 401) return window.location.reload();
      if (!(answer.headers.get("Content-Type") || "").startsWith("text/html")) throw new Error("no page");
      const text = await answer.text();
      if (mine !== asked) return;
      result.innerHTML = text;
      result.focus({ preventScroll: true });
      result.scrollIntoView({ block: "nearest" });
    } catch (error) {
      if (mine === asked) failed();
    } finally {
      if (mine === asked) {
        wait.hidden = true;
        result.removeAttribute("aria-busy");
      }
    }
  }

  file.addEventListener("change", check);
  form.addEventListener("submit", function (event) {
    const button = event.submitter;
    if (button && button.value === "marked") return; // a download; the page stays
    event.preventDefault();
    check();
  });

  // The configuration goes into the editor of this page; without the editor the form below would post it.
  const take = document.getElementById("workbook-take-form");
  take.addEventListener("submit", function (event) {
    const text = document.getElementById("workbook-configuration");
    const tab = document.getElementById("tab-json");
    if (!text || !tab) return;
    event.preventDefault();
    tab.click();
    document.dispatchEvent(new CustomEvent("centro:take", { detail: { text: text.value } }));
  });

  // The template of the pipeline that is chosen above; the page has one list of pipelines only.
  const words = document.getElementById("workbook-of");
  const button = document.getElementById("workbook-download");
  function follow() {
    own.value = chooser.value;
    button.disabled = !chooser.value;
    words.textContent = chooser.value ? words.dataset.one.replace("%s", () => chooser.value) : words.dataset.none;
  }
  if (chooser && own && words) {
    chooser.addEventListener("change", follow);
    document.addEventListener("centro:take", follow);
    follow();
  }
})();
