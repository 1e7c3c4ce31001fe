// The bar above the list of runs: how many are ticked, all of a page at once, and ticks that survive a refresh.
(function () {
  "use strict";

  const form = document.getElementById("many-form");
  if (!form) return;
  const ticked = new Set();
  const count = document.getElementById("many-count");
  const tools = document.getElementById("runs-tools");
  const all = document.getElementById("many-all");

  function boxes() {
    return Array.from(document.querySelectorAll('#runs-live input[name="run"]'));
  }

  function show() {
    const shown = boxes();
    shown.forEach(function (box) {
      box.checked = ticked.has(box.value);
    });
    const here = shown.filter(function (box) {
      return box.checked;
    }).length;
    // Runs may appear on a page that was empty, and go again
    form.hidden = shown.length === 0;
    if (shown.length) tools.hidden = false;
    count.textContent = String(here);
    form.classList.toggle("has-ticks", here > 0);
    all.checked = here > 0 && here === shown.length;
    all.indeterminate = here > 0 && here < shown.length;
    form.querySelectorAll("button[name=action]").forEach(function (button) {
      button.disabled = button.dataset.exactly ? here !== Number(button.dataset.exactly) : here === 0;
    });
  }

  document.addEventListener("change", function (event) {
    if (event.target === all) {
      boxes().forEach(function (box) {
        if (all.checked) ticked.add(box.value);
        else ticked.delete(box.value);
      });
    } else if (event.target.matches('#runs-live input[name="run"]')) {
      if (event.target.checked) ticked.add(event.target.value);
      else ticked.delete(event.target.value);
    } else {
      return;
    }
    show();
  });
  document.addEventListener("htmx:afterSwap", show);
  boxes().forEach(function (box) {
    if (box.checked) ticked.add(box.value);
  });
  show();
})();
