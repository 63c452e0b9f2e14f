// The interactive plots: which points are chosen, and when each plot is drawn. Without this script the page shows the
// same plots as still pictures; paper always does.

// Ridges nearer than this share one value.
const SAME_RIDGE = 1.05;

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

function plotsOf(data) {
  const every = data.points.map((one, index) => ({ ...data.series[one.series], ...one, index }));
  const narrow = matchMedia("(max-width: 42rem)"), dark = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)").matches;
  const form = document.querySelector(".filters"), only = form.querySelector(".only");
  let alone = null;  // the series that a click chose

  function viewNow() {
    const chosen = Map.groupBy(new FormData(form), ([name]) => name);
    const passes = (one) => (alone === null || one.series === alone)
      && [...chosen].every(([name, values]) => values.some(([, value]) => value === "" || value === String(one[name])));
    const style = getComputedStyle(document.documentElement), colour = (name) => style.getPropertyValue(name).trim();
    const setup = Number(new FormData(form).get("setup") ?? 0);
    return {
      points: every.filter((one) => one.setup === setup && passes(one)), narrow: narrow.matches,
      setup: data.setups[setup] ?? { levels: [], peaks: {}, curves: [], caches: [], beside: [] },
      theme: Object.fromEntries(["ink", "muted", "grid", "paper"].map((name) => [name, colour(`--${name}`)])),
      colour: (implementation) => colour(data.colours[implementation]),
    };
  }

  let view = viewNow();
  const holders = [...document.querySelectorAll(".plot")], stale = new Set(holders);

  function axis({ title, ends, ...ticks }) {
    const { ink, muted, grid } = view.theme;
    return {
      type: "log", title: { text: title, standoff: view.narrow ? 4 : 8, font: { size: 12.5 } }, range: ends.map(log),
      tickfont: { color: ink }, tickcolor: muted, ticks: "outside", ticklen: 4, gridcolor: grid, linecolor: muted,
      zeroline: false, automargin: false, tickformat: ",.3~r", minorloglabels: "complete", ...ticks,
    };
  }

  async function draw(holder) {
    const width = holder.wide = holder.clientWidth, name = holder.dataset.plot, frame = holder.querySelector(".frame");
    stale.delete(holder);
    const points = view.points.filter(({ marks }) => name in marks);
    const chart = points.length || name.startsWith("bandwidth") ? CHARTS[name](points, view) : null;
    frame.hidden = chart === null;
    holder.querySelector(".nothing").hidden = chart !== null;
    holder.querySelector(".key").replaceChildren(...(chart ? key(chart) : []));
    if (chart === null) return;
    const { ink, paper, muted } = view.theme;
    const layout = {
      width, height: view.narrow ? 420 : 600, showlegend: false, hovermode: "closest", hoverdistance: 25, dragmode: coarse ? false : "zoom",
      margin: { ...(view.narrow ? { l: 62, r: 12, b: 48 } : { l: 72, r: 24, b: 56 }), t: chart.head ?? 14 },
      font: { family: getComputedStyle(document.body).fontFamily, size: view.narrow ? 11 : 12, color: ink },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      hoverlabel: { align: "left", bgcolor: paper, bordercolor: muted, font: { color: ink, size: 12 } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: muted, activecolor: ink },
      shapes: chart.shapes, xaxis: axis(chart.x), yaxis: axis(chart.y), uirevision: points[0]?.setup,
    };
    layout.annotations = labels(chart, layout);
    const range = String(layout.xaxis.range);
    holder.chart = chart;
    await Plotly.react(frame, chart.traces, layout, {
      displaylogo: false, displayModeBar: coarse ? false : "hover", scrollZoom: false,
      modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
      toImageButtonOptions: { format: "svg", filename: name },
    });
    if (!frame.listening) {
      frame.listening = true;
      frame.on("plotly_click", (event) => {
        const { series } = every[event.points[0]?.customdata] ?? {};
        if (series !== undefined) show(alone === series ? null : series);
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
    const [perX, perY] = [wide / (x1 - x0), high / (y1 - y0)], angle = Math.atan2(perY, perX), size = view.narrow ? 10 : 11;
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
      put(`${texts.join(view.narrow ? ",<br>" : ", ")} GFLOP/s`, x1, log(peak), view.theme.ink,
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
  function key(chart) {
    const names = [...new Set(view.points.map(({ implementation }) => implementation))];
    const signs = new Map([...view.points].sort((a, b) => a.H - b.H).map(({ H, sign }) => [H, sign]));
    const joined = chart.traces.at(-1).mode !== "markers";
    return [
      ...names.map((name) => {
        const dot = element("i");
        dot.style.background = view.colour(name);
        return element("span", {}, dot, name);
      }),
      ...[...signs].map(([size, sign]) => element("span", {}, `${sign} H ${size}`)),
      ...(joined && view.points.some(({ dashed }) => dashed) ? [element("span", {}, "dashed: weights not float32")] : []),
      ...(chart.key ?? []).map((text) => element("span", {}, text)),
    ];
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
    const one = every.find(({ series }) => series === alone);
    only.hidden = !one;
    only.querySelector("span").textContent = one ? `Only ${one.words}, ${one.implementation}` : "";
    form.querySelector(".count").textContent = `${view.points.length} of ${every.length} measured points shown`;
    redraw();
  }

  function show(series) {
    alone = series;
    refresh();
  }

  form.addEventListener("change", refresh);
  form.addEventListener("reset", () => setTimeout(show, 0, null));  // the choices are put back after the event
  form.querySelector(".all").addEventListener("click", () => show(null));
  addEventListener("keydown", (event) => { if (event.key === "Escape" && alone !== null) show(null); });
  dark.addEventListener("change", refresh);
  // Plotly's own answer to a new width forgets the height, and knows nothing of names along slanted roofs.
  let settled = 0;
  addEventListener("resize", () => {
    clearTimeout(settled);
    settled = setTimeout(() => { if (holders.some((one) => one.clientWidth !== one.wide)) refresh(); }, 100);
  });
  document.documentElement.classList.add("live");
  refresh();
}

const given = document.getElementById("data");
if (given && document.querySelector(".plot")) plotsOf(JSON.parse(given.textContent));
