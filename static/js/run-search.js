// The search box of the list of runs: what may follow is suggested while one types, and taken by mouse or keyboard.
(function () {
  "use strict";

  const box = document.getElementById("search-box");
  const list = document.getElementById("search-suggestions");
  if (!box || !list) return;
  let timer = 0;
  let asked = 0;
  let chosen = -1;

  function entries() {
    return Array.from(list.querySelectorAll('[role="option"]'));
  }

  function show(open) {
    list.hidden = !open;
    box.setAttribute("aria-expanded", String(open));
    if (!open) choose(-1);
  }

  function choose(index) {
    chosen = index;
    entries().forEach(function (entry, number) {
      entry.setAttribute("aria-selected", String(number === index));
      if (number === index) entry.scrollIntoView({ block: "nearest" });
    });
    const entry = entries()[index];
    if (entry) box.setAttribute("aria-activedescendant", entry.id);
    else box.removeAttribute("aria-activedescendant");
  }

  function written() {
    return box.value.slice(0, box.selectionStart === null ? box.value.length : box.selectionStart);
  }

  async function ask() {
    const mine = ++asked;
    const before = written();
    let text = "";
    try {
      const answer = await fetch(box.dataset.suggestions + "?q=" + encodeURIComponent(before), {
        headers: { "HX-Request": "true" },
      });
      if (answer.ok) text = await answer.text();
    } catch (error) {
      text = ""; // without suggestions the search works all the same
    }
    if (mine !== asked || document.activeElement !== box) return;
    const parsed = new DOMParser().parseFromString("<ul>" + text + "</ul>", "text/html");
    list.replaceChildren(...parsed.querySelectorAll('[role="option"]'));
    choose(-1);
    show(entries().length > 0);
  }

  function take(entry) {
    const at = box.selectionStart === null ? box.value.length : box.selectionStart;
    const after = box.value.slice(at);
    box.value = entry.dataset.text + after.trimStart();
    box.setSelectionRange(entry.dataset.text.length, entry.dataset.text.length);
    box.focus();
    ask();
  }

  // What has been typed on since must not be replaced by a suggestion that was made before.
  function narrow() {
    const begun = written().toLowerCase();
    entries().forEach(function (entry) {
      if (!entry.dataset.text.toLowerCase().startsWith(begun)) entry.remove();
    });
    choose(-1);
    if (!entries().length) show(false);
  }

  function later() {
    clearTimeout(timer);
    timer = setTimeout(ask, 120);
  }

  box.addEventListener("input", function () {
    narrow();
    later();
  });
  box.addEventListener("focus", later);
  box.addEventListener("blur", function () {
    clearTimeout(timer);
    asked += 1;
    show(false);
  });
  list.addEventListener("mousedown", function (event) {
    event.preventDefault(); // the box keeps the focus
    const entry = event.target.closest('[role="option"]');
    if (entry) take(entry);
  });
  box.addEventListener("keydown", function (event) {
    const found = entries();
    if (event.key === "ArrowDown" && list.hidden) return ask();
    if (list.hidden || !found.length) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      choose((chosen + step + found.length + (chosen < 0 && step < 0 ? 1 : 0)) % found.length);
    } else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) {
      event.preventDefault();
      take(found[chosen]);
    } else if (event.key === "Escape") {
      event.preventDefault();
      show(false);
    }
  });
  // "/" leads to the search from anywhere on the page, as in other lists of this kind.
  document.addEventListener("keydown", function (event) {
    const writes = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || writes || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    box.focus();
    box.select();
  });
})();
