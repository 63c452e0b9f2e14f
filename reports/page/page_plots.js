// The interactive plots: which points are chosen, and when each plot is drawn. Without this script the page shows the
// same plots as still pictures; paper always does.
const FACETS = [["cell", "cell"], ["phase", "phase"], ["part", "part"], ["steps", "steps a call"],
                ["weights", "weights"], ["dtype", "dtype"], ["H", "H"],
                ["implementation", "implementation"], ["batch", "batch"]];
const MANY_VALUES = 24;
const GLYPH_TEXT = ["\u25cb", "\u25a1", "\u25b3", "\u25c7", "\u25bd", "\u2b20", "\u2715"];

function plotsOf(data) {
  const p = data.points, count = p.series.length;
  const narrow = matchMedia("(max-width: 42rem)"), dark = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)").matches;
  const texts = new Array(count);
  const chosen = new Map(FACETS.map(([name]) => [name, new Set()]));
  let setup = 0, alone = null;
  const start = () => {
    for (const values of chosen.values()) values.clear();
    for (const [name, value] of Object.entries(data.start)) chosen.get(name).add(value);
    alone = null;
    setup = 0;
  };
  start();

  const valueOfFacet = (name, i) => (name === "batch" ? p.batch[i] : data.series[p.series[i]][name]);
  const passes = (i, except) => data.series[p.series[i]].setup === setup
    && (alone === null || p.series[i] === alone || except)
    && FACETS.every(([name]) => name === except || !chosen.get(name).size || chosen.get(name).has(valueOfFacet(name, i)));

  function theme() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    return { ink: of("--ink"), muted: of("--muted"), grid: of("--grid"), paper: of("--paper"), blue: of("--blue") };
  }

  function viewNow() {
    const points = [], bySeries = new Map(), look = theme();
    for (let i = 0; i < count; i++) {
      if (!passes(i)) continue;
      points.push(i);
      if (!bySeries.has(p.series[i])) bySeries.set(p.series[i], []);
      bySeries.get(p.series[i]).push(i);
    }
    for (const members of bySeries.values()) members.sort((a, b) => p.batch[a] - p.batch[b]);
    return {
      data, points, bySeries, series: [...bySeries.keys()], theme: look, setup: data.setups[setup] ?? { levels: [], peaks: {}, curves: [], caches: [] },
      narrow: narrow.matches,
      // The first colour of the palette is too dark for a dark page.
      colour: (name) => (name === data.first ? look.blue : data.implementations[name]),
      glyph: (i) => GLYPHS[data.sizes.indexOf(data.series[p.series[i]].H) % GLYPHS.length],
      hover: (i) => (texts[i] ??= hoverText(data, i)),
    };
  }

  let view = viewNow();
  const holders = [...document.querySelectorAll(".plot")];
  const stale = new Set(holders), near = new Set();

  async function draw(holder) {
    const width = holder.wide = holder.clientWidth;
    stale.delete(holder);
    const chart = CHARTS[holder.dataset.plot](view), frame = holder.querySelector(".frame");
    holder.querySelector(".nothing").hidden = chart !== null;
    frame.hidden = chart === null;
    if (chart === null) return;
    const key = holder.querySelector(".key");
    key.textContent = chart.key ?? "";
    const { ink, paper, muted } = view.theme;
    const layout = {
      width, height: narrow.matches ? 420 : 600, showlegend: false, hovermode: "closest", hoverdistance: 25, dragmode: coarse ? false : "zoom",
      margin: { ...(narrow.matches ? { l: 52, r: 12, b: 48 } : { l: 68, r: 24, b: 56 }), t: chart.head ?? 14 },
      font: { family: getComputedStyle(document.body).fontFamily, size: narrow.matches ? 11 : 12, color: ink },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      hoverlabel: { align: "left", bgcolor: paper, bordercolor: muted, font: { color: ink, size: 12 } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: muted, activecolor: ink },
      ...chart.layout, uirevision: setup,
    };
    layout.annotations = names(chart, layout);
    const range = String(layout.xaxis.range);
    holder.chart = chart;
    await Plotly.react(frame, chart.traces, layout, {
      displaylogo: false, displayModeBar: coarse ? false : "hover", scrollZoom: false,
      modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
      toImageButtonOptions: { format: "svg", filename: holder.dataset.plot },
    });
    if (!frame.listening) {
      frame.listening = true;
      frame.on("plotly_click", (event) => {
        const i = event.points[0]?.customdata;
        if (typeof i !== "number") return;
        alone = alone === p.series[i] ? null : p.series[i];
        refresh();
      });
      frame.on("plotly_relayout", (change) => { if (!("annotations" in change)) label(holder); });
    }
    if (String(frame.layout.xaxis.range) !== range) await label(holder);  // a zoom outlives the filter
    holder.dataset.drawn = String(view.points.length);
  }

  const label = (holder) => {
    const frame = holder.querySelector(".frame");
    return Plotly.relayout(frame, { annotations: names(holder.chart, frame.layout) });
  };

  // What stands on a plot, with names along slanted roofs and beside ridges: angle and room follow from the axes.
  function names(chart, layout) {
    if (!chart.slopes) return chart.notes ?? [];
    const [x0, x1] = layout.xaxis.range.map(Number), [y0, y1] = layout.yaxis.range.map(Number);
    const wide = layout.width - layout.margin.l - layout.margin.r, high = layout.height - layout.margin.t - layout.margin.b;
    const [perX, perY] = [wide / (x1 - x0), high / (y1 - y0)], angle = Math.atan2(perY, perX), size = narrow.matches ? 10 : 11;
    const found = [...(chart.notes ?? [])];
    let before = null, along = 0, last = 0;
    for (const { rate, text, colour } of chart.slopes) {
      const x = Math.max(x0, y0 - log(rate)), y = x + log(rate);
      // Where the next faster roof leaves no room above: beneath its line, and behind the name before it if that is there too.
      const apart = before === null ? Infinity : log(before / rate) * perY * Math.cos(angle);
      const crowded = apart < size + 6, length = text.length * size * 0.56;
      along = crowded && last ? along + last + 8 : 0;
      const off = (size / 2 + 4.5) * (crowded ? -1 : 1), middle = along + length / 2 + 8;
      [before, last] = [rate, crowded ? length : 0];
      const place = { x: x * perX + middle * Math.cos(angle), y: y * perY + middle * Math.sin(angle) };
      if (place.x > x1 * perX || place.y > y1 * perY) continue;
      found.push({ text, x, y, showarrow: false, textangle: (-angle * 180) / Math.PI, xanchor: "center", yanchor: "middle",
        xshift: middle * Math.cos(angle) - off * Math.sin(angle), yshift: middle * Math.sin(angle) + off * Math.cos(angle),
        font: { size, color: colour } });
    }
    // Values of arithmetic roofs over their lines; those too close for a text each share one over the highest.
    const shares = [];
    for (const { name, flops } of [...chart.peaks].sort((a, b) => b.flops - a.flops)) {
      const text = `${name} ${trimmed(flops)}`, last = shares.at(-1);
      if (last && log(last.flops / flops) * perY < size + 5) last.texts.push(text);
      else shares.push({ flops, texts: [text] });
    }
    for (const { flops, texts: [first, ...others] } of shares) {
      // On a phone one beneath the other: a line of three would run over the slanted roofs.
      const text = [first, ...others].join(narrow.matches ? ",<br>" : ", ");
      found.push({ text: `${text} GFLOP/s`, x: x1, y: log(flops), showarrow: false, align: "right", xanchor: "right", yanchor: "bottom", xshift: -4,
        font: { size, color: view.theme.ink } });
    }
    const ends = [];
    for (const ridge of chart.ridges) {
      const at = (log(ridge) - x0) * perX, text = trimmed(ridge);
      if (at < 0 || at > wide) continue;
      let row = ends.findIndex((end) => end <= at);
      if (row < 0) row = ends.length;
      ends[row] = at + 8 + text.length * size * 0.62;
      found.push({ text, x: log(ridge), y: y0, showarrow: false, xanchor: "left", yanchor: "bottom", xshift: 1, yshift: row * (size + 3),
        bgcolor: view.theme.paper, borderpad: 0, font: { size, color: view.theme.muted } });
    }
    return found;
  }

  let drawing = false;
  async function redraw() {
    if (drawing) return;  // what became stale since is seen to by the loop that runs
    drawing = true;
    try {
      for (let next; (next = holders.find((one) => stale.has(one) && near.has(one) && one.clientWidth));) {
        await draw(next);
        await new Promise(requestAnimationFrame);  // thousands of points take a second a plot: the page answers in between
      }
    } finally {
      drawing = false;
    }
  }
  function refresh() {
    view = viewNow();
    for (const holder of holders) stale.add(holder);
    filters();
    redraw();
  }

  // The filter bar is the legend too: colours stand at the implementations, marks at the sizes.
  const bar = document.querySelector(".filters"), groups = bar.querySelector(".facets");
  function filters() {
    groups.replaceChildren();
    if (data.setups.length > 1) facet("threads", data.setups.map((_, k) => k), (k) => data.setups[k].name, (k) => k === setup, (k) => { setup = k; });
    for (const [name, title] of FACETS) {
      // Numbers ascending, words in the order of the tables.
      const every = [...new Set(p.series.map((_, i) => valueOfFacet(name, i)))];
      if (typeof every[0] === "number") every.sort((a, b) => a - b);
      if (every.length < 2 && name !== "implementation") continue;
      const set = chosen.get(name);
      facet(title, every, String, (value) => set.has(value), (value) => { if (!set.delete(value)) set.add(value); }, name);
    }
    const one = alone === null ? null : data.series[alone];
    const only = bar.querySelector(".only");
    only.hidden = one === null;
    only.querySelector("span").textContent = one === null ? "" : `Only ${one.words}, ${one.implementation}`;
    bar.querySelector(".count").textContent = `${view.points.length} of ${count} measured points shown`;
  }

  function facet(title, every, text, pressed, press, name) {
    const field = document.createElement("fieldset"), legend = document.createElement("legend");
    legend.textContent = title;
    field.append(legend);
    if (every.length > MANY_VALUES) {
      const select = document.createElement("select");
      select.setAttribute("aria-label", title);
      select.append(new Option("all", ""), ...every.map((value, k) => new Option(text(value), String(k), false, pressed(value))));
      select.addEventListener("change", () => {
        chosen.get(name).clear();
        if (select.value !== "") press(every[Number(select.value)]);
        refresh();
      });
      field.append(select);
    } else {
      for (const value of every) field.append(pill(value, text(value), pressed(value), press, name));
    }
    groups.append(field);
  }

  function pill(value, text, isPressed, press, name) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", String(isPressed));
    if (name === "implementation") {
      const dot = document.createElement("i");
      dot.style.background = view.colour(value);
      button.append(dot);
    }
    if (name === "H") text = `${GLYPH_TEXT[data.sizes.indexOf(value) % GLYPHS.length]} ${text}`;
    button.append(text);
    button.dataset.facet = name ?? "setup";
    button.dataset.value = String(value);
    button.addEventListener("click", () => {
      press(value);
      refresh();
      groups.querySelector(`[data-facet="${CSS.escape(button.dataset.facet)}"][data-value="${CSS.escape(button.dataset.value)}"]`)?.focus();
    });
    return button;
  }

  bar.querySelector(".all").addEventListener("click", () => { alone = null; refresh(); });
  bar.querySelector(".reset").addEventListener("click", () => { start(); refresh(); });
  addEventListener("keydown", (event) => { if (event.key === "Escape" && alone !== null) { alone = null; refresh(); } });
  dark.addEventListener("change", refresh);
  narrow.addEventListener("change", refresh);
  // Plotly's own answer to a new width forgets the height, and knows nothing of names along slanted roofs.
  let settled = 0;
  addEventListener("resize", () => {
    clearTimeout(settled);
    settled = setTimeout(() => {
      for (const holder of holders) if (holder.clientWidth !== holder.wide) stale.add(holder);
      redraw();
    }, 100);
  });

  document.documentElement.classList.add("live");
  bar.open = !narrow.matches;
  filters();
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) near[entry.isIntersecting ? "add" : "delete"](entry.target);
    redraw();
  }, { rootMargin: "400px" });
  for (const holder of holders) watch.observe(holder);
}

const given = document.getElementById("data");
if (given && document.querySelector(".plot")) plotsOf(JSON.parse(given.textContent));
