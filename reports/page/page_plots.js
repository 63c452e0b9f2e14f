// The interactive plots: which points are chosen, and when each plot is drawn. Without this script the page shows the
// same plots as still pictures; paper always does.
const FACETS = [["cell", "cell"], ["phase", "phase"], ["part", "part"], ["steps", "steps a call"],
                ["weights", "weights"], ["dtype", "dtype"], ["H", "H"],
                ["implementation", "implementation"], ["batch", "batch"]];
const MANY_VALUES = 24;
const GLYPH_TEXT = ["\u25cb", "\u25a1", "\u25b3", "\u25c7", "\u25bd", "\u2b20", "\u2715"];
// Ridges nearer than this share one value.
const SAME_RIDGE = 1.05;

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

function plotsOf(data) {
  const p = data.points, count = p.series.length;
  const narrow = matchMedia("(max-width: 42rem)"), dark = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)").matches;
  const chosen = new Map(FACETS.map(([name]) => [name, new Set()]));
  let setup = 0, alone = null;
  const start = () => {
    for (const [name, values] of chosen) {
      values.clear();
      if (name in data.start) values.add(data.start[name]);
    }
    [setup, alone] = [0, null];
  };
  start();

  const facetOf = (name, i) => (name === "batch" ? p.batch[i] : data.series[p.series[i]][name]);
  const passes = (i) => data.series[p.series[i]].setup === setup && (alone === null || p.series[i] === alone)
    && FACETS.every(([name]) => !chosen.get(name).size || chosen.get(name).has(facetOf(name, i)));
  const glyphOf = (glyphs, size) => glyphs[data.sizes.indexOf(size) % glyphs.length];

  function viewNow() {
    const points = Array.from({ length: count }, (_, i) => i).filter(passes);
    const style = getComputedStyle(document.documentElement);
    const theme = Object.fromEntries(["ink", "muted", "grid", "paper", "blue"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    return {
      data, points, theme, narrow: narrow.matches, bySeries: Map.groupBy(points, (i) => p.series[i]),
      setup: data.setups[setup] ?? { levels: [], peaks: {}, curves: [], caches: [], beside: [] },
      // The first colour of the palette is too dark for a dark page.
      colour: (name) => (name === data.first ? theme.blue : data.implementations[name]),
      glyph: (i) => glyphOf(GLYPHS, data.series[p.series[i]].H),
      hover: (i) => {
        const { words, implementation } = data.series[p.series[i]];
        return `<b>${plain(words)}, batch ${p.batch[i]}</b><br>${plain(implementation)}<br>${p.hover[i]}`;
      },
    };
  }

  let view = viewNow();
  const holders = [...document.querySelectorAll(".plot")], stale = new Set(holders);

  async function draw(holder) {
    const width = holder.wide = holder.clientWidth;
    stale.delete(holder);
    const chart = CHARTS[holder.dataset.plot](view), frame = holder.querySelector(".frame");
    holder.querySelector(".nothing").hidden = chart !== null;
    holder.querySelector(".key").replaceChildren(...(chart ? [...key(chart.joined), ...(chart.key ?? []).map((text) => element("span", {}, text))] : []));
    frame.hidden = chart === null;
    if (chart === null) return;
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
    layout.annotations = labels(chart, layout);
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
    return Plotly.relayout(frame, { annotations: labels(holder.chart, frame.layout) });
  };

  // What stands on a plot, with names along slanted roofs and beside ridges: angle and room follow from the axes.
  function labels(chart, layout) {
    const found = [...(chart.notes ?? [])];
    if (!chart.slopes) return found;
    const [x0, x1] = layout.xaxis.range.map(Number), [y0, y1] = layout.yaxis.range.map(Number), { margin } = layout;
    const wide = layout.width - margin.l - margin.r, high = layout.height - margin.t - margin.b;
    const [perX, perY] = [wide / (x1 - x0), high / (y1 - y0)], angle = Math.atan2(perY, perX), size = narrow.matches ? 10 : 11;
    const put = (text, x, y, color, more) => found.push({ text, x, y, showarrow: false, font: { size, color }, ...more });
    let before = Infinity, along = 0, last = 0;
    for (const { rate, text, colour } of chart.slopes) {
      const x = Math.max(x0, y0 - log(rate)), y = x + log(rate), length = text.length * size * 0.56;
      // Where the next faster roof leaves no room above: beneath its line, and behind the name before it if that is there too.
      const crowded = log(before / rate) * perY * Math.cos(angle) < size + 6;
      // A name that began at the axis would lean over its figures.
      along = crowded && last ? along + last + 8 : Math.max(8, (size + 11) * Math.tan(angle));
      const off = (size / 2 + 4.5) * (crowded ? -1 : 1), middle = along + length / 2;
      [before, last] = [rate, crowded ? length : 0];
      const [right, up] = [middle * Math.cos(angle), middle * Math.sin(angle)];
      if (x * perX + right > x1 * perX || y * perY + up > y1 * perY) continue;
      put(text, x, y, colour, { textangle: (-angle * 180) / Math.PI, xanchor: "center", yanchor: "middle",
        xshift: right - off * Math.sin(angle), yshift: up + off * Math.cos(angle) });
    }
    // Values of arithmetic roofs over their lines; those too close for a text each share one over the highest.
    const shares = [];
    for (const { name, peak } of [...chart.peaks].sort((a, b) => b.peak - a.peak)) {
      const text = `${name} ${number(peak)}`, above = shares.at(-1);
      if (above && log(above.peak / peak) * perY < size + 5) above.texts.push(text);
      else shares.push({ peak, texts: [text] });
    }
    for (const { peak, texts } of shares) {
      // On a phone one beneath the other: a line of three would run over the slanted roofs.
      put(`${texts.join(narrow.matches ? ",<br>" : ", ")} GFLOP/s`, x1, log(peak), view.theme.ink,
        { align: "right", xanchor: "right", yanchor: "bottom", xshift: -4 });
    }
    const ends = [];
    for (const [k, ridge] of chart.ridges.entries()) {
      const at = (log(ridge) - x0) * perX, text = number(ridge);
      if (at < 0 || at > wide || ridge < SAME_RIDGE * (chart.ridges[k - 1] ?? 0)) continue;
      let row = ends.findIndex((end) => end <= at);
      if (row < 0) row = ends.length;
      ends[row] = at + 8 + text.length * size * 0.62;
      put(text, log(ridge), y0, view.theme.muted, { xanchor: "left", yanchor: "bottom", xshift: 1, yshift: row * (size + 3),
        bgcolor: view.theme.paper, borderpad: 0 });
    }
    return found;
  }

  // Colours and marks of what is shown.
  function key(joined) {
    const series = [...view.bySeries.keys()].map((s) => data.series[s]), of = (name) => [...new Set(series.map((one) => one[name]))];
    const sizes = of("H").sort((a, b) => a - b), dashed = joined && series.some(({ dtype }) => dtype !== "float32");
    return [...of("implementation").map((name) => element("span", {}, dot(name), name)),
      ...sizes.map((size) => element("span", {}, `${glyphOf(GLYPH_TEXT, size)} H ${size}`)),
      ...(dashed ? [element("span", {}, "dashed: weights not float32")] : [])];
  }

  function dot(name) {
    const made = element("i");
    made.style.background = view.colour(name);
    return made;
  }

  let drawing = false;
  async function redraw() {
    if (drawing) return;  // what became stale since is seen to by the loop that runs
    drawing = true;
    const far = (holder) => Math.abs(holder.getBoundingClientRect().top);
    try {
      for (;;) {  // what is in sight first
        const [next] = [...stale].filter((one) => one.clientWidth).sort((a, b) => far(a) - far(b));
        if (!next) return;
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

  const bar = document.querySelector(".filters"), groups = bar.querySelector(".facets");
  function filters() {
    groups.replaceChildren();
    if (data.setups.length > 1) {
      facet("threads", data.setups.map((_, k) => k), (k) => data.setups[k].name, (k) => k === setup, (k) => { setup = k; });
    }
    for (const [name, title] of FACETS) {
      // Numbers ascending, words in the order of the tables.
      const every = [...new Set(p.series.map((_, i) => facetOf(name, i)))], set = chosen.get(name);
      if (typeof every[0] === "number") every.sort((a, b) => a - b);
      if (every.length < 2 && name !== "implementation") continue;
      facet(title, every, String, (value) => set.has(value), (value) => { if (!set.delete(value)) set.add(value); }, name);
    }
    const only = bar.querySelector(".only"), one = data.series[alone ?? -1];
    only.hidden = !one;
    only.querySelector("span").textContent = one ? `Only ${one.words}, ${one.implementation}` : "";
    bar.querySelector(".count").textContent = `${view.points.length} of ${count} measured points shown`;
  }

  function facet(title, every, text, pressed, press, name) {
    const field = element("fieldset", {}, element("legend", { textContent: title }));
    if (every.length > MANY_VALUES) {
      const options = every.map((value, k) => new Option(text(value), String(k), false, pressed(value)));
      const select = element("select", { ariaLabel: title }, new Option("all", ""), ...options);
      select.addEventListener("change", () => {
        chosen.get(name).clear();
        if (select.value !== "") press(every[Number(select.value)]);
        refresh();
      });
      field.append(select);
    } else {
      field.append(...every.map((value) => pill(value, text(value), pressed(value), press, name)));
    }
    groups.append(field);
  }

  function pill(value, text, isPressed, press, name) {
    const button = element("button", { type: "button", ariaPressed: String(isPressed) });
    if (name === "implementation") button.append(dot(value));
    button.append(name === "H" ? `${glyphOf(GLYPH_TEXT, value)} ${text}` : text);
    Object.assign(button.dataset, { facet: name ?? "setup", value: String(value) });
    button.addEventListener("click", () => {
      press(value);
      refresh();
      const { facet: of, value: same } = button.dataset;
      groups.querySelector(`[data-facet="${CSS.escape(of)}"][data-value="${CSS.escape(same)}"]`)?.focus();
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
  filters();
  redraw();
}

const given = document.getElementById("data");
if (given && document.querySelector(".plot")) plotsOf(JSON.parse(given.textContent));
