// The output of a run: which tab is shown, following the end, and a bound on what the page keeps.
(function () {
  "use strict";
  const MOST_PIECES = 400;
  let following = true;

  function log() {
    return document.getElementById("log-text");
  }

  function showFollow() {
    const button = document.getElementById("log-follow");
    if (button) {
      button.setAttribute("aria-pressed", following ? "true" : "false");
      button.classList.toggle("tone-primary", following);
    }
  }

  function toEnd() {
    const area = log();
    if (area && following) area.scrollTop = area.scrollHeight;
  }

  document.addEventListener("htmx:beforeRequest", function (event) {
    const tab = event.detail.elt.closest('[role="tab"]');
    if (!tab) return;
    tab.parentElement.querySelectorAll('[role="tab"]').forEach(function (other) {
      other.setAttribute("aria-selected", other === tab ? "true" : "false");
      other.tabIndex = other === tab ? 0 : -1;
    });
    document.getElementById("output-panel").setAttribute("aria-labelledby", tab.id);
    following = true;
  });

  document.addEventListener("htmx:afterSwap", function (event) {
    const target = event.detail.target;
    if (target.id !== "log-text" && target.id !== "output-panel") return;
    const area = log();
    while (area && area.childElementCount > MOST_PIECES) area.firstElementChild.remove();
    toEnd();
    showFollow();
  });

  document.addEventListener(
    "scroll",
    function (event) {
      const area = log();
      if (event.target !== area) return;
      following = area.scrollHeight - area.scrollTop - area.clientHeight < 60;
      showFollow();
    },
    true
  );

  document.addEventListener("click", function (event) {
    if (!event.target.closest("#log-follow")) return;
    following = !following;
    toEnd();
    showFollow();
  });
})();
