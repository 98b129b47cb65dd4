// The curator's desk by keyboard: j and k move, Enter opens, letters pick what carries them.
"use strict";
(() => {
  const toggle = document.querySelector("[data-keys]");
  if (!toggle) return;
  const rows = [...document.querySelectorAll("[data-row]")];

  function remember(on) {
    toggle.setAttribute("aria-pressed", on);
    try { localStorage.setItem("keys", on ? "on" : "off"); } catch { /* storage is blocked */ }
  }
  try { remember(localStorage.getItem("keys") !== "off"); } catch { /* on, as the page says */ }
  toggle.addEventListener("click", () => remember(toggle.getAttribute("aria-pressed") !== "true"));

  function move(by) {
    const at = rows.indexOf(document.activeElement);
    const next = at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1);
    rows[next].focus();
  }

  // A decision is only picked, and a button only focused: nothing happens by one letter alone.
  function pick(element) {
    if (element.type === "radio") {
      element.checked = true;
      element.form.elements.reason.focus();
    } else if (element.tagName === "A") {
      element.click();
    } else {
      element.focus();
    }
  }

  document.addEventListener("keydown", (event) => {
    const typing = document.activeElement.matches("input:not([type=radio]), textarea, select");
    if (event.key === "Escape" && typing) document.activeElement.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (toggle.getAttribute("aria-pressed") !== "true") return;
    if (rows.length && (event.key === "j" || event.key === "k")) {
      event.preventDefault();
      move(event.key === "j" ? 1 : -1);
      return;
    }
    const wanted = /^[a-z]$/.test(event.key) && document.querySelector(`[data-key="${event.key}"]`);
    if (wanted) {
      event.preventDefault();
      pick(wanted);
    }
  });
})();
