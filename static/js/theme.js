// Sets the colour theme before the first paint. The choice ("light", "dark" or "auto") is kept in this browser.
(function () {
  "use strict";
  const root = document.documentElement;
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  function stored() {
    try {
      return localStorage.getItem("centro-theme") || "auto";
    } catch (error) {
      return "auto"; // storage may be switched off
    }
  }
  function apply() {
    const choice = stored();
    const dark = choice === "dark" || (choice === "auto" && prefersDark.matches);
    root.setAttribute("data-bs-theme", dark ? "dark" : "light");
    root.setAttribute("data-theme-choice", choice);
    root.dispatchEvent(new CustomEvent("centro:theme", { detail: { dark: dark } }));
  }
  root.classList.remove("no-js");
  root.classList.add("js");
  prefersDark.addEventListener("change", apply);
  // Paper is white, and browsers leave backgrounds out: light text would not be seen on it.
  window.addEventListener("beforeprint", function () {
    root.setAttribute("data-bs-theme", "light");
  });
  window.addEventListener("afterprint", apply);
  window.centroTheme = {
    choice: stored,
    next: function () {
      const order = ["auto", "light", "dark"];
      const choice = order[(order.indexOf(stored()) + 1) % order.length];
      try {
        localStorage.setItem("centro-theme", choice);
      } catch (error) {
        root.setAttribute("data-bs-theme", choice === "dark" ? "dark" : "light");
      }
      apply();
      return choice;
    },
  };
  apply();
})();
