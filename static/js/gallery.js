// The gallery: pick a cell, drag the divider, change what is compared, zoom all pictures in step.
"use strict";
for (const gallery of document.querySelectorAll(".gal")) {
  const viewer = gallery.querySelector(".cmp");
  const part = (name) => gallery.querySelector(`[data-part=${name}]`);
  const cells = [...gallery.querySelectorAll(".mx a[data-cell]")];
  const state = { cell: cells[0], left: viewer.dataset.first, zoom: 1, x: 50, y: 50 };
  const LABELS = { truth: "Truth", measurement: "Measurement", difference: "Error map" };

  function divide() {
    const at = part("slider").value;
    part("over").style.clipPath = `inset(0 0 0 ${at}%)`;
    part("line").style.left = `${at}%`;
  }

  function show() {
    const { cell, left } = state;
    const truth = cell.closest("tr").querySelector("td a").href;
    part("under").firstElementChild.src = left === "truth" ? truth : cell.dataset[left];
    part("over").firstElementChild.src = cell.href;
    part("left").textContent = LABELS[left];
    part("caption").textContent = cell.querySelector("img").alt;
    for (const other of cells) {
      if (other === cell) other.setAttribute("aria-current", "true");
      else other.removeAttribute("aria-current");
    }
    for (const button of gallery.querySelectorAll("[data-left]")) {
      button.setAttribute("aria-pressed", button.dataset.left === left);
    }
  }

  function zoom() {
    viewer.classList.toggle("zoomed", state.zoom > 1);
    for (const image of gallery.querySelectorAll(".cmp img, .mx img")) {
      image.style.transformOrigin = `${state.x}% ${state.y}%`;
      image.style.transform = state.zoom > 1 ? `scale(${state.zoom})` : "";
    }
    for (const button of gallery.querySelectorAll("[data-zoom]")) {
      button.setAttribute("aria-pressed", Number(button.dataset.zoom) === state.zoom);
    }
  }

  for (const cell of cells) {
    cell.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      state.cell = cell;
      show();
    });
  }
  for (const button of gallery.querySelectorAll("[data-left]")) {
    button.addEventListener("click", () => { state.left = button.dataset.left; show(); });
  }
  for (const button of gallery.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => { state.zoom = Number(button.dataset.zoom); zoom(); });
  }
  // While zoomed, the centre follows the pointer, in the viewer and in every cell.
  viewer.addEventListener("pointermove", (event) => {
    if (state.zoom === 1) return;
    const box = viewer.getBoundingClientRect();
    state.x = (100 * (event.clientX - box.left)) / box.width;
    state.y = (100 * (event.clientY - box.top)) / box.height;
    zoom();
  });
  part("slider").addEventListener("input", divide);
  divide();
  show();
}
