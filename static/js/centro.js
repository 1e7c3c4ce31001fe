// Behaviour of every page: times in the viewer's zone, the colour button, menus, copying, dialogs, live parts.
(function () {
  "use strict";

  // --- times -------------------------------------------------------------------------------------------------
  const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const thisYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const today = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
  const relative = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "auto" });
  const steps = [[60, 1, "second"], [3600, 60, "minute"], [86400, 3600, "hour"], [2592000, 86400, "day"]];

  function age(seconds) {
    for (const [limit, unit, name] of steps) {
      if (seconds < limit) {
        return relative.format(-Math.floor(seconds / unit), name);
      }
    }
    return null;
  }

  function length(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    const hours = Math.floor(whole / 3600);
    const minutes = Math.floor((whole % 3600) / 60);
    if (hours >= 24) return Math.floor(hours / 24) + " d " + (hours % 24) + " h";
    if (hours) return hours + " h " + String(minutes).padStart(2, "0") + " min";
    return minutes ? minutes + " min " + String(whole % 60).padStart(2, "0") + " s" : whole + " s";
  }

  function showTime(element) {
    const at = new Date(element.dateTime);
    if (isNaN(at)) return;
    const seconds = (Date.now() - at) / 1000;
    const style = element.dataset.time;
    let text = null;
    if (style === "ago") text = age(Math.max(0, seconds));
    else if (style === "since") text = length(seconds);
    if (text === null) {
      const now = new Date();
      const brief = at.getFullYear() === now.getFullYear() ? thisYear : short;
      const format = at.toDateString() === now.toDateString() ? today : style === "short" ? brief : local;
      text = format.format(at);
    }
    if (element.textContent !== text) element.textContent = text;
  }

  function showTimes(root) {
    root.querySelectorAll("time[data-time]").forEach(showTime);
  }

  setInterval(function () {
    if (!document.hidden) document.querySelectorAll('time[data-time="ago"], time[data-time="since"]').forEach(showTime);
  }, 1000);

  // --- colours -----------------------------------------------------------------------------------------------
  const themeButton = document.getElementById("theme-button");
  const themeIcons = { auto: "auto", light: "sun", dark: "moon" };

  function showTheme() {
    if (!themeButton) return;
    const choice = window.centroTheme.choice();
    const label = themeButton.dataset[choice];
    themeButton.title = label;
    themeButton.querySelector("span").textContent = label;
    themeButton.querySelector("use").setAttribute("href", themeButton.dataset.sprite + "#" + themeIcons[choice]);
  }

  if (themeButton) {
    themeButton.addEventListener("click", function () {
      window.centroTheme.next();
      showTheme();
    });
    showTheme();
  }

  // --- clicks ------------------------------------------------------------------------------------------------
  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    const text = source.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch (error) {
      // No clipboard without https: select the text, so that Ctrl+C copies it.
      const range = document.createRange();
      range.selectNodeContents(source);
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      document.execCommand("copy");
    }
    button.classList.add("tone-success");
    setTimeout(function () {
      button.classList.remove("tone-success");
    }, 1200);
  }

  document.addEventListener("click", function (event) {
    const copyButton = event.target.closest("[data-copy]");
    if (copyButton) copy(copyButton);
    const opener = event.target.closest("[data-dialog]");
    const dialog = opener && document.getElementById(opener.dataset.dialog);
    if (dialog && dialog.showModal) {
      event.preventDefault();
      dialog.showModal();
    }
    const closer = event.target.closest("[data-close-dialog]");
    if (closer) closer.closest("dialog").close();
    document.querySelectorAll("details.menu[open]").forEach(function (menu) {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details.menu[open]").forEach(function (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });

  document.addEventListener("submit", function (event) {
    const dialog = event.target.closest("dialog");
    if (dialog) event.target.querySelector("button[type=submit]").disabled = true;
  });

  // Left and right move between the tabs of a list, as its role promises.
  document.addEventListener("keydown", function (event) {
    const tab = event.target.closest('[role="tab"]');
    if (!tab || (event.key !== "ArrowRight" && event.key !== "ArrowLeft" && event.key !== " ")) return;
    event.preventDefault();
    if (event.key === " ") return tab.click();
    const tabs = Array.from(tab.parentElement.querySelectorAll('[role="tab"]'));
    const step = event.key === "ArrowRight" ? 1 : tabs.length - 1;
    const next = tabs[(tabs.indexOf(tab) + step) % tabs.length];
    next.focus();
    next.click();
  });

  // --- live parts --------------------------------------------------------------------------------------------
  const lost = document.getElementById("connection");

  function isLive(event) {
    return event.detail.elt && event.detail.elt.hasAttribute("data-live");
  }

  document.addEventListener("htmx:beforeRequest", function (event) {
    // Nobody looks: ask again when the page is seen. Somebody marks text in the part: do not replace it now.
    const selection = getSelection();
    const marking =
      !selection.isCollapsed && event.detail.elt.contains(selection.anchorNode);
    if (isLive(event) && (document.hidden || marking)) event.preventDefault();
  });
  ["htmx:sendError", "htmx:responseError", "htmx:timeout"].forEach(function (name) {
    document.addEventListener(name, function (event) {
      if (isLive(event)) lost.hidden = false;
    });
  });
  document.addEventListener("htmx:afterRequest", function (event) {
    if (isLive(event) && event.detail.successful) lost.hidden = true;
  });
  document.addEventListener("htmx:afterSettle", function (event) {
    showTimes(event.detail.target.isConnected ? event.detail.target : document);
  });
  document.addEventListener("htmx:afterSwap", function () {
    showTimes(document);
  });
  document.addEventListener("htmx:oobAfterSwap", function () {
    showTimes(document);
  });

  showTimes(document);

  // On a small screen the list of places is wider than the window: where one is must be in view.
  const here = document.querySelector('.bar [aria-current="page"]');
  if (here) {
    const list = here.closest("ul");
    const box = here.getBoundingClientRect();
    const room = list.getBoundingClientRect();
    list.scrollLeft += box.left + box.width / 2 - (room.left + room.width / 2);
  }
})();
