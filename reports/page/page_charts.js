// What each plot shows, as Plotly's traces and layout: the places in the data, of the points chosen, in the theme.
const GLYPHS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "pentagon", "x"];
const log = Math.log10;
// A spread argument list has an end that a long column passes.
const least = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const most = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);

// Three significant digits, without zeros that say nothing.
function number(value) {
  if (!value) return "0";
  const digits = Math.max(0, Math.min(9, 2 - Math.floor(log(Math.abs(value)))));
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

// As Python's `time_unit`: by the middle one.
function timeUnit(seconds) {
  const ordered = [...seconds].sort((a, b) => a - b), middle = ordered[ordered.length >> 1];
  if (middle < 1e-6) return ["ns", 1e9];
  if (middle < 1e-3) return ["\u00b5s", 1e6];
  return middle < 1 ? ["ms", 1e3] : ["s", 1];
}

function bytesText(count) {
  for (const [unit, name] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (count >= unit) return `${Number((count / unit).toPrecision(4))} ${name}`;
  }
  return `${count} B`;
}

// Plotly reads a little HTML in its texts: a profile's own words must stay words.
const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function line(places, look, more = {}) {
  const [x, y] = [0, 1].map((k) => places.map((place) => place && place[k]));
  return { type: "scatter", mode: "lines", x, y, line: look, hoverinfo: "skip", ...more };
}

// Straight pieces from end to end, as one broken line: a thousand of their own freeze the page for seconds.
function segments(ends, look, more) {
  return line(ends.flatMap(([from, to]) => [from, to, null]), { ...look, simplify: false }, more);
}

// The places of a chart's points: of every one chosen that has one, `at(i)` with x and y in the units of its axes.
function placed(view, chart, xFactor, yFactor) {
  const columns = view.data.charts[chart];
  const at = (i) => ({
    x: columns.x[i] * xFactor, y: columns.y[i] * yFactor, filled: columns.filled[i],
    low: columns.low[i] * yFactor, high: columns.high[i] * yFactor,
  });
  const has = (i) => columns.x[i] !== null;
  return { has, at, points: view.points.filter(has), marks: view.points.filter(has).map(at) };
}

// Points as marks, one trace per implementation and dash, and their intervals.
function traces(view, { has, at }, joined = true) {
  const groups = new Map();
  for (const [s, members] of view.bySeries) {
    const one = view.data.series[s], key = JSON.stringify([one.implementation, one.dtype === "float32"]);
    const kept = members.filter(has);
    if (!groups.has(key)) groups.set(key, { one, points: [] });
    const { points } = groups.get(key);
    if (kept.length) points.push(...(points.length ? [null] : []), ...kept);
  }
  return [...groups.values()].filter(({ points }) => points.length).flatMap(({ one, points }) => {
    const marks = points.map((i) => (i === null ? null : at(i))), color = view.colour(one.implementation);
    const of = (value) => marks.map((mark) => (mark === null ? null : value(mark)));
    const bars = marks.filter((mark) => mark && mark.low < mark.high);
    const ends = bars.map(({ x, low, high }) => [[x, low], [x, high]]);
    return [segments(ends, { color, width: 1.1 }), {
      type: "scatter", mode: joined ? "lines+markers" : "markers", name: plain(one.implementation),
      x: of(({ x }) => x), y: of(({ y }) => y), customdata: points, hoverinfo: "text",
      text: points.map((i) => (i === null ? "" : view.hover(i))),
      line: { color, width: 1.3, dash: one.dtype === "float32" ? "solid" : "5px,3px" },
      marker: {
        color, size: 8, opacity: 1, line: { width: 1.5, color },
        symbol: marks.map((mark, k) => (mark === null ? "circle" : view.glyph(points[k]) + (mark.filled ? "" : "-open"))),
      },
    }];
  });
}

// `ticks`: Plotly's own, or values and their texts.
function axis(view, title, low, high, ticks) {
  const { ink, muted, grid } = view.theme;
  return {
    type: "log", title: { text: title, standoff: 8, font: { size: 12.5 } }, range: [log(low), log(high)],
    tickfont: { color: ink }, tickcolor: muted, ticks: "outside", ticklen: 4, gridcolor: grid, linecolor: muted,
    zeroline: false, automargin: false, tickformat: ",.3~r", minorloglabels: "complete", ...ticks,
  };
}

const POWERS_OF_TWO = { dtick: log(2) };
// 1, 10, 100 and, where there is room, 2 and 5 between.
const decades = (low, high, room) => ({ dtick: log(high / low) > room ? 1 : "D2" });

function roofline(view) {
  const { theme: { ink, muted }, setup: { levels, peaks: every }, data: { points: p, series } } = view;
  const found = placed(view, "roofline", 1, 1e-9), { points, marks } = found, giga = (rate) => rate / 1e9;
  if (!points.length) return null;
  const dtypes = new Set(points.map((i) => series[p.series[i]].arithmetic));
  const used = new Set(points.map((i) => p.level[i]));
  const peaks = Object.entries(every).filter(([name]) => dtypes.has(name)).map(([name, peak]) => [name, giga(peak)]);
  const [fastest, slowest] = [levels[0], levels.at(-1)].map((level) => level && giga(level.rate));
  const top = most([...peaks.map(([, peak]) => peak), ...marks.map(({ high }) => high)]);
  const left = least(marks.map(({ x }) => x)) / 3.2, right = most([...marks.map(({ x }) => x), top / (slowest ?? Infinity)]) * 2;
  const bottom = least([...marks.map(({ low }) => low), left * (slowest ?? Infinity)]) / 1.5;
  const highest = most(peaks.map(([, peak]) => peak)), high = peaks.length ? highest : top;
  // Where a roof stood beside the points: a band from its lowest to its highest, behind its line.
  const start = left / 100, end = right * 100;
  const band = (name, rate, corners) => {
    const rates = [rate, ...points.map((i) => p.beside[i][name]).filter(Boolean).map(giga)];
    const [slow, quick] = [least(rates), most(rates)];
    const look = { fill: "toself", fillcolor: ink, opacity: 0.1 };
    return slow < quick ? [line(corners(slow, quick), { width: 0 }, look)] : [];
  };
  const roofs = levels.flatMap(({ name, rate: bytes }) => {
    const rate = giga(bytes), look = used.has(name) ? { color: ink, width: 2 } : { color: muted, width: 1 };
    const text = `${plain(name)} ${number(rate)} GB/s`;
    return [
      ...band(name, rate, (slow, quick) => [[start, start * slow], [high / slow, high], [high / quick, high], [start, start * quick]]),
      line([[start, start * rate], [high / rate, high]], look, { hoverinfo: "text", text: [text, text] }),
    ];
  });
  roofs.push(...peaks.flatMap(([name, peak]) => {
    const from = fastest ? peak / fastest : left;
    return [
      ...band(name, peak, (slow, quick) => [[from, slow], [end, slow], [end, quick], [from, quick]]),
      line([[from, peak], [end, peak]], { color: ink, width: 2 }),
    ];
  }));
  // Of dtypes that share a roof the shortest name stands for all.
  const names = new Map([...peaks].sort(([a], [b]) => b.length - a.length).map(([name, peak]) => [peak, name]));
  const rates = levels.filter(({ name }) => used.has(name)).map(({ rate }) => giga(rate));
  const ridges = [...names.keys()].flatMap((peak) => rates.map((rate) => [peak / rate, peak]))
    .filter(([ridge]) => ridge > left && ridge < right).sort(([a], [b]) => a - b);
  roofs.push(...ridges.map(([ridge, peak]) => line([[ridge, bottom / 100], [ridge, peak]], { color: muted, width: 1, dash: "dot" })));
  return {
    joined: true, traces: [...roofs, ...traces(view, found)],
    slopes: levels.map(({ name, rate }) => ({
      rate: giga(rate), text: `${plain(name)} ${number(giga(rate))} GB/s`, colour: used.has(name) ? ink : muted })),
    peaks: [...names].map(([peak, name]) => ({ name: plain(name), peak })), ridges: ridges.map(([ridge]) => ridge),
    layout: {
      xaxis: axis(view, "arithmetic intensity, FLOP/byte", left, right, POWERS_OF_TWO),
      yaxis: axis(view, "GFLOP/s at the drawn roof", bottom, top * 1.55, { dtick: "D2" }),
    },
  };
}

function timeRoofline(view) {
  const { theme: { ink, muted }, data: { points: p, series } } = view;
  const chosen = placed(view, "time_roofline", 1, 1).points;
  if (!chosen.length) return null;
  const [unit, factor] = timeUnit(chosen.map((i) => p.seconds[i]));
  const found = placed(view, "time_roofline", factor, factor), { points, marks } = found;
  // The larger side is the time that was measured; the dot lies at the fraction of it.
  const gaps = points.map((i, k) => [[marks[k].x * p.fraction[i], marks[k].y * p.fraction[i]], [marks[k].x, marks[k].y]]);
  const floors = Map.groupBy(points.filter((i) => p.floor[i]), (i) => series[p.series[i]].implementation);
  const boxes = [...floors].map(([name, of]) => [name, of.map((i) => p.floor[i] * factor).sort((a, b) => a - b)[of.length >> 1]]);
  const low = least([...gaps.map(([dot]) => Math.min(...dot)), ...boxes.map(([, end]) => end)]) / 1.6;
  const high = most([...gaps.map(([, taken]) => Math.max(...taken)), ...boxes.map(([, end]) => end)]) * 1.6;
  const note = (text, place) => ({ text, xref: "paper", yref: "paper", x: place, y: 1 - place, showarrow: false, font: { color: muted, size: 11 } });
  const ticks = decades(low, high, view.narrow ? 2.5 : 4);
  return {
    notes: [note("bytes take longer", 0.01), note("FLOPs take longer", 0.99)],
    traces: [
      line([[low / 100, low / 100], [high * 100, high * 100]], { color: ink, width: 2 }),
      segments(gaps, { color: muted, width: 0.8 }, { opacity: 0.5 }),
      line(gaps.map(([dot]) => dot), {}, { mode: "markers", marker: { color: muted, size: 4 } }),
      ...boxes.map(([name, end]) => line([[low / 100, end], [end, end], [end, low / 100]],
        { color: view.colour(name), width: 1.3, dash: "6px,4px" },
        { hoverinfo: "text", text: Array(3).fill(`floor of a call, ${plain(name)}: ${number(end)} ${unit}`) })),
      ...traces(view, found, false),
    ],
    layout: {
      xaxis: axis(view, `time for the FLOPs, ${unit}`, low, high, ticks),
      yaxis: axis(view, `time for the bytes, ${unit}`, low, high, ticks),
    },
  };
}

function timeAgainstBatch(view) {
  const { theme: { muted }, data: { points: p, charts, series } } = view;
  const chosen = placed(view, "time_against_batch", 1, 1).points;
  if (!chosen.length) return null;
  const [unit, factor] = timeUnit(chosen.map((i) => charts.time_against_batch.y[i]));
  const found = placed(view, "time_against_batch", 1, factor), { points, marks } = found;
  // What the drawn roofs allow: a line per case, whichever implementations are chosen of it.
  const cases = Map.groupBy(points, (i) => series[p.series[i]].words);
  const allowed = [...cases.values()].flatMap((of) => {
    const known = new Map(of.map((i) => [p.batch[i], p.allowed[i] * factor]));
    return [...[...known].sort(([a], [b]) => a - b), null];
  });
  const batches = [...new Set(points.map((i) => p.batch[i]))].sort((a, b) => a - b), [first, last] = [batches[0], batches.at(-1)];
  const times = [...allowed.filter(Boolean).map(([, time]) => time), ...marks.flatMap(({ low, high }) => [low, high])];
  const low = least(times) / 1.4, high = most(times) * 1.4;
  const ticks = batches.length <= (view.narrow ? 8 : 16) ? { tickvals: batches } : POWERS_OF_TWO;
  return {
    joined: true, traces: [
      line(allowed, { color: muted, width: 1.1 }, {
        mode: "lines+markers", marker: { color: muted, size: 4 }, hoverinfo: "text",
        text: allowed.map((place) => (place ? `roofs allow ${number(place[1])} ${unit}` : "")) }),
      ...traces(view, found),
    ],
    layout: {
      xaxis: axis(view, "batch, sequences per step", first / 1.25, last * 1.25, ticks),
      yaxis: axis(view, `time of a step at the drawn roof, ${unit}`, low, high, decades(low, high, 4)),
    },
  };
}

const CURVES = { write: ["triangle-down-open", "\u25bd"], copy: ["diamond-open", "\u25c7"], triad: ["triangle-up-open", "\u25b3"] };
const READ_DASHES = ["solid", "6px,3px", "2px,2px"];

function bandwidth(view) {
  const { theme: { ink, muted }, setup: { curves, beside, levels, caches } } = view;
  const found = placed(view, "bandwidth_against_working_set", 1, 1e-9), { marks } = found;
  const xs = [...curves.flatMap(({ x }) => x), ...marks.map(({ x }) => x)];
  if (!xs.length) return null;
  const bars = beside.map(([x, ...ends]) => ends.map((rate) => [x, rate / 1e9]));
  const rates = [...bars.flat().map(([, rate]) => rate), ...curves.flatMap(({ y }) => y.map((rate) => rate / 1e9)),
    ...marks.flatMap(({ low, high }) => [low, high])];
  const low = least(rates) / 1.5, high = most(rates) * 1.2, left = least(xs) / 1.4, right = most(xs) * 1.4;
  let reads = 0;
  const drawn = curves.map(({ name, kind, x, y }) => {
    const places = x.map((size, k) => [size, y[k] / 1e9]);
    const text = places.map(([size, rate]) => `${plain(name)}<br>${bytesText(size)}: ${number(rate)} GB/s`);
    const [symbol] = CURVES[kind] ?? [];
    if (symbol) return line(places, {}, { mode: "markers", marker: { symbol, color: muted, size: 8 }, text, hoverinfo: "text" });
    const look = { color: ink, width: 1.8, dash: READ_DASHES[Math.min(reads++, 2)] };
    return line(places, look, { mode: "lines+markers", marker: { color: ink, size: 4 }, text, hoverinfo: "text" });
  });
  const shapes = [], notes = [], tall = { xref: "x", yref: "paper", y0: 0, y1: 1 };
  let start = left;
  levels.forEach(({ name, up_to: upTo, rate }, index) => {
    const end = Math.min(right, upTo ?? right), font = { size: view.narrow ? 10 : 11 };
    if (end <= start) return;
    const grey = { type: "rect", fillcolor: muted, opacity: 0.09, line: { width: 0 }, layer: "below" };
    if (index % 2 === 0) shapes.push({ ...grey, ...tall, x0: start, x1: end });
    notes.push({ text: `${plain(name)}<br>${number(rate / 1e9)} GB/s`, x: (log(start) + log(end)) / 2, yref: "paper", y: 1,
      yanchor: "bottom", showarrow: false, font });
    start = end;
  });
  for (const { name, bytes } of caches.filter((one) => one.bytes > left && one.bytes < right)) {
    shapes.push({ type: "line", ...tall, x0: bytes, x1: bytes, line: { color: muted, width: 1, dash: "6px,4px" } });
    notes.push({ text: plain(name), x: log(bytes), yref: "paper", y: 0, textangle: -90, xanchor: "left", yanchor: "bottom",
      showarrow: false, font: { size: 10.5, color: muted } });
  }
  // The write, copy and triad roofs share one grey: their marks tell them apart.
  const others = curves.filter(({ kind }) => CURVES[kind]).map(({ name, kind }) => `${CURVES[kind][1]} ${name}`);
  const doublings = Math.ceil(Math.log2(right / left) / (view.narrow ? 5 : 9));
  const sizes = Array.from({ length: 64 / doublings }, (_, k) => 2 ** (k * doublings));
  return {
    notes, head: 42, key: ["plain line: read roof, dashed at fewer threads", "pale bar: that roof beside the points", ...others],
    traces: [segments(bars, { color: ink, width: 5 }, { opacity: 0.2 }), ...drawn, ...traces(view, found, false)],
    layout: {
      shapes,
      xaxis: axis(view, "working set, all threads together", left, right, { tickvals: sizes, ticktext: sizes.map(bytesText) }),
      yaxis: axis(view, "GB/s at the drawn roof", low, high, decades(low, high, 4)),
    },
  };
}

const CHARTS = {
  roofline, time_roofline: timeRoofline, time_against_batch: timeAgainstBatch, bandwidth_against_working_set: bandwidth,
};
