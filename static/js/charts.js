// Charts that people explore: Plotly is fetched when the first one scrolls into view. Until then,
// and without scripts, the drawing that the server put there stays.
"use strict";
(() => {
  const figures = [...document.querySelectorAll("[data-plotly]")];
  let library = null;

  const load = () => (library ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = document.querySelector("[data-plotly-src]").dataset.plotlySrc;
    script.onload = () => done(window.Plotly);
    script.onerror = failed;
    document.head.append(script);
  }));

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const probe = document.createElement("span");
    document.body.append(probe);
    const colour = (name) => { probe.style.color = style.getPropertyValue(name); return getComputedStyle(probe).color; };
    const found = { ink: colour("--ink"), soft: colour("--ink2"), line: colour("--line"), card: colour("--card"),
      series: ["--c1", "--c2", "--c3", "--c4"].map(colour) };
    probe.remove();
    return found;
  }

  function dress(figure) {
    const c = colours();
    const axis = { gridcolor: c.line, linecolor: c.line, zerolinecolor: c.line, tickfont: { color: c.soft } };
    const layout = { ...figure.layout, paper_bgcolor: "transparent", plot_bgcolor: "transparent",
      font: { family: getComputedStyle(document.body).fontFamily, color: c.ink, size: 13 },
      hoverlabel: { bgcolor: c.card, bordercolor: c.line, font: { color: c.ink } } };
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) layout[name] = { ...axis, ...layout[name] };
    layout.xaxis = { ...axis, ...layout.xaxis };
    layout.yaxis = { ...axis, ...layout.yaxis };
    const data = figure.data.map((trace) => {
      const colour = c.series[trace.meta?.series ?? 0];
      return { ...trace, marker: { ...trace.marker, color: colour }, line: { ...trace.line, color: colour } };
    });
    return { data, layout };
  }

  async function draw(holder) {
    const Plotly = await load();
    const figure = JSON.parse(document.getElementById(holder.dataset.plotly).textContent);
    const box = holder.querySelector(".plot");
    box.hidden = false;
    const { data, layout } = dress(figure);
    await Plotly.react(box, data, layout, { responsive: true, displaylogo: false, displayModeBar: false });
    holder.querySelector(".drawn")?.setAttribute("hidden", "");
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      seen.unobserve(entry.target);
      draw(entry.target).catch(() => { /* the server's drawing stays */ });
    }
  }, { rootMargin: "100px" });
  figures.forEach((figure) => seen.observe(figure));
  document.addEventListener("themechange", () => {
    if (window.Plotly) figures.filter((f) => !f.querySelector(".plot").hidden).forEach(draw);
  });
})();
