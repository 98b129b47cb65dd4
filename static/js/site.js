// What every page shares: theme, search key, tabs, sorted and filtered tables, contents, copying.
"use strict";
const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const say = (text) => { one("#live").textContent = text; };

// ---------------------------------------------------------------- header
one("#theme")?.addEventListener("click", () => {
  const root = document.documentElement;
  const shown = root.dataset.theme
    || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.dataset.theme = shown === "dark" ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* storage is blocked */ }
  document.dispatchEvent(new Event("themechange"));
});

document.addEventListener("keydown", (event) => {
  const typing = /INPUT|TEXTAREA|SELECT/.test(document.activeElement.tagName);
  const search = one("#q");
  if (event.key === "/" && !typing && search) {
    event.preventDefault();
    search.focus();
  }
  if (event.key === "Escape") {
    one("#found")?.replaceChildren();
    one(".menu")?.removeAttribute("open");
  }
});
document.addEventListener("click", (event) => {
  if (!event.target.closest(".search")) one("#found")?.replaceChildren();
  const menu = one(".menu[open]");
  if (menu && !event.target.closest(".menu")) menu.removeAttribute("open");
});

// Public pages are cached without a token; the reader's corner brings one.
document.addEventListener("htmx:configRequest", (event) => {
  const token = one("[data-csrf]")?.dataset.csrf;
  if (token && event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = token;
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  const token = one("[data-csrf]")?.dataset.csrf;
  if (form.method !== "post" || !token || form.elements.csrfmiddlewaretoken) return;
  const field = Object.assign(document.createElement("input"),
    { type: "hidden", name: "csrfmiddlewaretoken", value: token });
  form.append(field);
});

// ---------------------------------------------------------------- boards and gallery: one panel at a time
function showPanel(panel) {
  const set = panel.closest("[data-panels]");
  for (const other of all(".panel", set)) other.classList.toggle("on", other === panel);
  const [board, origin] = panel.id.split("-");
  for (const button of all("[data-board], [data-origin]", set)) {
    const on = button.dataset.board === board || button.dataset.origin === origin;
    button.setAttribute("aria-pressed", on);
  }
}

for (const set of all("[data-panels]")) {
  showPanel(one(".panel.on", set));
  for (const button of all("[data-board], [data-origin]", set)) {
    button.addEventListener("click", () => {
      const [board, origin] = one(".panel.on", set).id.split("-");
      const id = `${button.dataset.board ?? board}-${button.dataset.origin ?? origin}`;
      showPanel(document.getElementById(id));
      history.replaceState(null, "", `#${id}`);
    });
  }
}

function showWhatHolds(element) {
  const panel = element.closest(".panel");
  if (panel) showPanel(panel);
  for (let box = element.closest("details"); box; box = box.parentElement.closest("details")) {
    box.open = true;
  }
}

function followHash() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  showWhatHolds(target);
  target.scrollIntoView();
}
addEventListener("hashchange", followHash);

// ---------------------------------------------------------------- tables
const valueOf = (cell) => cell?.dataset.v ?? cell?.textContent.trim() ?? "";

function compare(a, b) {
  const difference = parseFloat(a) - parseFloat(b);
  return Number.isNaN(difference) ? a.localeCompare(b) : difference;
}

function sortBy(table, heading) {
  const column = [...heading.parentNode.children].indexOf(heading);
  const ascending = heading.getAttribute("aria-sort") === "descending"
    || (!heading.hasAttribute("aria-sort") && !heading.classList.contains("n"));
  for (const other of all("th[aria-sort]", table)) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const body = table.tBodies[0];
  const filled = (row) => valueOf(row.cells[column]) !== "";
  const rows = [...body.rows].sort((a, b) => {
    if (filled(a) !== filled(b)) return filled(a) ? -1 : 1; // missing values last, both ways
    const order = compare(valueOf(a.cells[column]), valueOf(b.cells[column]));
    return ascending ? order : -order;
  });
  body.append(...rows);
  say(`Sorted by ${heading.textContent.trim()}, ${heading.getAttribute("aria-sort")}.`);
}

for (const table of all("table[data-sort]")) {
  for (const heading of all("thead th:not([data-nosort])", table)) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sortBy(table, heading));
  }
}

for (const chip of all("[data-filter]")) {
  chip.addEventListener("click", () => {
    const scope = chip.closest("[data-panels]");
    chip.setAttribute("aria-pressed", chip.getAttribute("aria-pressed") !== "true");
    const wanted = all("[data-filter][aria-pressed=true]", scope).map((c) => c.dataset.filter);
    let shown = 0;
    for (const row of all("tr[data-is]", scope)) {
      const is = row.dataset.is.split(" ");
      row.hidden = wanted.length > 0 && !wanted.some((word) => is.includes(word));
      shown += !row.hidden;
    }
    say(`${shown} rows match.`);
  });
}

// ---------------------------------------------------------------- contents that follow the scroll
const contents = one(".toc");
if (contents) {
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      const link = one(`a[href="#${entry.target.id}"]`, contents);
      if (!link) continue;
      one("[aria-current]", contents)?.removeAttribute("aria-current");
      link.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-15% 0px -75%" });
  all(".part[id]").forEach((section) => seen.observe(section));
}

// ---------------------------------------------------------------- copying
for (const block of all("pre[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "chip copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(one("code", block).textContent);
    button.textContent = "Copied";
    say("Copied.");
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  block.append(button);
}

if (location.hash) followHash();
