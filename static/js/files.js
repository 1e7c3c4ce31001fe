// The file browser: following links without loading the page anew, and files that are too large for the form.
(function () {
  "use strict";
  const part = document.getElementById("files-part");
  if (!part) return;

  // A folder or file is asked for by htmx; whatever else a click means (new tab, download) stays the browser's.
  part.addEventListener("click", function (event) {
    const link = event.target.closest("a[href]");
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !plain || link.target || link.hasAttribute("download") || event.defaultPrevented) return;
    const address = new URL(link.href, location.href);
    if (address.origin !== location.origin || !address.pathname.startsWith(part.dataset.within)) return;
    event.preventDefault();
    part.setAttribute("aria-busy", "true");
    history.pushState({ files: true }, "", address.href);
    load(address.href);
  });

  let moved = false;

  function load(address) {
    moved = true;
    window.htmx.ajax("GET", address, { target: "#files-part", swap: "innerHTML show:window:top" });
  }

  addEventListener("popstate", function () {
    load(location.href);
  });

  part.addEventListener("htmx:afterSettle", function () {
    part.removeAttribute("aria-busy");
    const heading = part.querySelector("h2");
    if (heading && moved && document.activeElement === document.body) {
      heading.tabIndex = -1;
      heading.focus({ preventScroll: true });
    }
  });

  ["htmx:sendError", "htmx:responseError", "htmx:timeout"].forEach(function (name) {
    part.addEventListener(name, function () {
      part.removeAttribute("aria-busy");
      const note = document.createElement("div");
      note.className = "note tone-danger";
      note.setAttribute("role", "alert");
      note.textContent = part.dataset.lost;
      part.replaceChildren(note);
    });
  });

  // --- uploads -----------------------------------------------------------------------------------------------
  document.addEventListener("change", function (event) {
    if (event.target.id === "upload-files") check(event.target.form);
  });
  document.addEventListener("submit", function (event) {
    if (event.target.id === "upload-form" && !check(event.target)) event.preventDefault();
  });

  function check(form) {
    const files = Array.from(form.elements.files.files);
    const total = files.reduce((sum, file) => sum + file.size, 0);
    const fits = total <= Number(form.dataset.limit) * 1024 * 1024;
    document.getElementById("upload-too-large").hidden = fits;
    return fits;
  }
})();
