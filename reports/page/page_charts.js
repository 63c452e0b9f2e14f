// What each plot shows: Plotly's traces and the axes, of the points chosen, in the theme.
const log = Math.log10;
// A spread argument list has an end that a long column passes.
const least = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const most = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);

// Plotly reads a little HTML in its texts: a profile's own words must stay words.
const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

// Three significant digits, or more before the point.
const number = (value) => value.toLocaleString("en", {
  maximumSignificantDigits: 3, maximumFractionDigits: 0, roundingPriority: "morePrecision" });

function line(places, look, more = {}) {
  const [x, y] = [0, 1].map((k) => places.map((place) => place && place[k]));
  return { type: "scatter", mode: "lines", x, y, line: look, hoverinfo: "skip", ...more };
}

// Straight pieces from end to end, as one broken line: a thousand of their own freeze the page for seconds.
function segments(ends, look, more) {
  return line(ends.flatMap(([from, to]) => [from, to, null]), { ...look, simplify: false }, more);
}

// Points as marks, one trace per implementation and dash, a gap between series; and their intervals.
function traces(points, name, view, mode = "lines+markers") {
  const groups = Map.groupBy(points, (one) => JSON.stringify([one.implementation, one.dashed]));
  return [...groups.values()].flatMap((group) => {
    const color = view.colour(group[0].implementation);
    const bars = group.map(({ marks }) => marks[name]).filter(([, , low, high]) => low < high);
    const row = group.flatMap((one, k) => (k && group[k - 1].series !== one.series ? [null, one] : [one]));
    return [segments(bars.map(([x, , low, high]) => [[x, low], [x, high]]), { color, width: 1.1 }), {
      ...line(row.map((one) => one && one.marks[name]), { color, width: 1.3, dash: group[0].dashed ? "5px,3px" : "solid" }),
      mode, name: plain(group[0].implementation), hoverinfo: "text",
      customdata: row.map((one) => one && one.index), text: row.map((one) => (one ? one.hover : "")),
      marker: {
        color, size: 8, opacity: 1, line: { width: 1.5, color },
        symbol: row.map((one) => (one ? one.symbol + (one.marks[name][4] ? "" : "-open") : "circle")),
      },
    }];
  });
}

const POWERS_OF_TWO = { dtick: log(2) };
const BYTES = [[1, "B"], [2 ** 10, "KiB"], [2 ** 20, "MiB"], [2 ** 30, "GiB"]];
const SECONDS = [[1e-9, "ns"], [1e-6, "\u00b5s"], [1e-3, "ms"], [1, "s"]];

function inUnits(value, units) {
  const [size, name] = units.findLast(([least]) => value >= least) ?? units[0];
  return `${number(value / size)} ${name}`;
}

const ticks = (values, units) => ({ tickvals: values, ticktext: values.map((value) => inUnits(value, units)) });

// 1, 10, 100 and, where there is room, 2 and 5 between.
const sparse = (low, high, room) => log(high / low) > room;
function times(low, high, room) {
  const powers = Array.from({ length: 15 }, (_, k) => k - 10), steps = sparse(low, high, room) ? [1] : [1, 2, 5];
  return ticks(powers.flatMap((power) => steps.map((step) => Number(`${step}e${power}`))), SECONDS);
}

function roofline(points, view) {
  const { ink, muted } = view.theme, { levels, peaks: every } = view.setup, marks = points.map((one) => one.marks.roofline);
  const kinds = new Set(points.map((one) => one.arithmetic)), used = new Set(points.map(({ level }) => level));
  const peaks = Object.entries(every).filter(([name]) => kinds.has(name));
  const [fastest, slowest] = [levels[0]?.rate, levels.at(-1)?.rate ?? Infinity];
  const top = most([...peaks.map(([, peak]) => peak), ...marks.map(([, , , high]) => high)]);
  const left = least(marks.map(([x]) => x)) / 3.2, right = most([...marks.map(([x]) => x), top / slowest]) * 2;
  const bottom = least([...marks.map(([, , low]) => low), left * slowest]) / 1.5;
  const high = peaks.length ? most(peaks.map(([, peak]) => peak)) : top, start = left / 100, end = right * 100;
  // Where a roof stood beside the points: a band from its lowest to its highest, behind its line.
  const band = (name, rate, corners) => {
    const rates = [rate, ...points.map(({ beside }) => beside[name] ?? rate)];
    return line(corners(least(rates), most(rates)), { width: 0 }, { fill: "toself", fillcolor: ink, opacity: 0.1 });
  };
  const slopes = levels.map(({ name, rate, value }) => ({
    name, rate, text: `${plain(name)} ${value}`, colour: used.has(name) ? ink : muted }));
  // Of dtypes that share a roof the shortest name stands for all.
  const names = new Map([...peaks].sort(([a], [b]) => b.length - a.length).map(([name, peak]) => [peak, name]));
  const ridges = slopes.filter(({ name }) => used.has(name))
    .flatMap(({ rate }) => [...names.keys()].map((peak) => [peak / rate, peak]))
    .filter(([ridge]) => ridge > left && ridge < right).sort(([a], [b]) => a - b);
  return {
    slopes, peaks: [...names].map(([peak, name]) => ({ name: plain(name), peak })), ridges: ridges.map(([ridge]) => ridge),
    traces: [
      ...slopes.flatMap(({ name, rate, text, colour }) => [
        band(name, rate, (slow, quick) => [[start, start * slow], [high / slow, high], [high / quick, high], [start, start * quick]]),
        line([[start, start * rate], [high / rate, high]], { color: colour, width: used.has(name) ? 2 : 1 }, { hoverinfo: "text", text }),
      ]),
      ...peaks.flatMap(([name, peak]) => {
        const from = fastest ? peak / fastest : left;
        return [
          band(name, peak, (slow, quick) => [[from, slow], [end, slow], [end, quick], [from, quick]]),
          line([[from, peak], [end, peak]], { color: ink, width: 2 }),
        ];
      }),
      ...ridges.map(([ridge, peak]) => line([[ridge, bottom / 100], [ridge, peak]], { color: muted, width: 1, dash: "dot" })),
      ...traces(points, "roofline", view),
    ],
    x: { title: "arithmetic intensity, FLOP/byte", ends: [left, right], ...POWERS_OF_TWO },
    y: { title: "GFLOP/s at the drawn roof", ends: [bottom, top * 1.55], dtick: "D2" },
  };
}

function timeRoofline(points, view) {
  const { ink, muted } = view.theme;
  // The larger side is the time that was measured; the dot lies at the fraction of it.
  const gaps = points.map(({ marks: { time_roofline: [x, y] }, fraction }) => [[x * fraction, y * fraction], [x, y]]);
  const floors = Map.groupBy(points.filter(({ floor }) => floor), ({ implementation }) => implementation);
  const boxes = [...floors].map(([name, of]) => [name, of.map(({ floor }) => floor).sort((a, b) => a - b)[of.length >> 1]]);
  const ends = [...gaps.flat(2), ...boxes.map(([, end]) => end)], low = least(ends) / 1.6, high = most(ends) * 1.6;
  const note = (text, place) => ({ text, xref: "paper", yref: "paper", x: place, y: 1 - place, showarrow: false, font: { color: muted, size: 11 } });
  const sides = { ends: [low, high], ...times(low, high, view.narrow ? 2.5 : 4) };
  return {
    notes: [note("bytes take longer", 0.01), note("FLOPs take longer", 0.99)],
    traces: [
      line([[low / 100, low / 100], [high * 100, high * 100]], { color: ink, width: 2 }),
      segments(gaps, { color: muted, width: 0.8 }, { opacity: 0.5 }),
      line(gaps.map(([dot]) => dot), {}, { mode: "markers", marker: { color: muted, size: 4 } }),
      ...boxes.map(([name, end]) => line([[low / 100, end], [end, end], [end, low / 100]], { color: view.colour(name), width: 1.3, dash: "6px,4px" },
        { hoverinfo: "text", text: `floor of a call, ${plain(name)}: ${inUnits(end, SECONDS)}` })),
      ...traces(points, "time_roofline", view, "markers"),
    ],
    x: { title: "time for the FLOPs", ...sides }, y: { title: "time for the bytes", ...sides },
  };
}

function timeAgainstBatch(points, view) {
  const { muted } = view.theme;
  // What the drawn roofs allow: a line per case, whichever implementations are chosen of it.
  const allowed = [...Map.groupBy(points, ({ words }) => words).values()].flatMap((of) => {
    const known = new Map(of.map((one) => [one.batch, one.allowed]));
    return [...[...known].sort(([a], [b]) => a - b), null];
  });
  const batches = [...new Set(points.map(({ batch }) => batch))].sort((a, b) => a - b);
  const ends = points.flatMap((one) => [one.allowed, ...one.marks.time_against_batch.slice(2, 4)]);
  const low = least(ends) / 1.4, high = most(ends) * 1.4;
  return {
    traces: [
      line(allowed, { color: muted, width: 1.1 }, {
        mode: "lines+markers", marker: { color: muted, size: 4 }, hoverinfo: "text",
        text: allowed.map((place) => (place ? `roofs allow ${inUnits(place[1], SECONDS)}` : "")) }),
      ...traces(points, "time_against_batch", view),
    ],
    x: { title: "batch, sequences per step", ends: [batches[0] / 1.25, batches.at(-1) * 1.25],
      ...(batches.length <= (view.narrow ? 8 : 16) ? { tickvals: batches } : POWERS_OF_TWO) },
    y: { title: "time of a step at the drawn roof", ends: [low, high], ...times(low, high, 4) },
  };
}

const CURVES = { write: ["triangle-down-open", "\u25bd"], copy: ["diamond-open", "\u25c7"], triad: ["triangle-up-open", "\u25b3"] };
const READ_DASHES = ["solid", "6px,3px", "2px,2px"];

function bandwidth(points, view) {
  const { ink, muted } = view.theme, { curves, beside, levels, caches } = view.setup;
  const marks = points.map((one) => one.marks.bandwidth_against_working_set), places = curves.flatMap((curve) => curve.places);
  const xs = [...places, ...marks].map(([x]) => x);
  if (!xs.length) return null;
  const rates = [...places.map(([, rate]) => rate), ...beside.flatMap(([, ...band]) => band), ...marks.flatMap(([, , low, high]) => [low, high])];
  const low = least(rates) / 1.5, high = most(rates) * 1.2, left = least(xs) / 1.4, right = most(xs) * 1.4;
  let reads = 0;
  const drawn = curves.map(({ name, kind, places: own }) => {
    const text = own.map(([size, rate]) => `${plain(name)}<br>${inUnits(size, BYTES)}: ${number(rate)} GB/s`);
    const [symbol] = CURVES[kind] ?? [];
    if (symbol) return line(own, {}, { mode: "markers", marker: { symbol, color: muted, size: 8 }, text, hoverinfo: "text" });
    const look = { color: ink, width: 1.8, dash: READ_DASHES[Math.min(reads++, 2)] };
    return line(own, look, { mode: "lines+markers", marker: { color: ink, size: 4 }, text, hoverinfo: "text" });
  });
  const shapes = [], notes = [], tall = { xref: "x", yref: "paper", y0: 0, y1: 1 };
  const note = (text, x, y, more) => notes.push({ text, x: log(x), yref: "paper", y, yanchor: "bottom", showarrow: false, ...more });
  let start = left;
  levels.forEach(({ name, up_to_bytes: upTo, value }, index) => {
    const end = Math.min(right, upTo ?? right);
    if (end <= start) return;
    const grey = { type: "rect", fillcolor: muted, opacity: 0.09, line: { width: 0 }, layer: "below" };
    if (index % 2 === 0) shapes.push({ ...grey, ...tall, x0: start, x1: end });
    note(`${plain(name)}<br>${value}`, Math.sqrt(start * end), 1, { font: { size: view.narrow ? 10 : 11 } });
    start = end;
  });
  for (const [name, bytes] of caches.filter(([, count]) => count > left && count < right)) {
    shapes.push({ type: "line", ...tall, x0: bytes, x1: bytes, line: { color: muted, width: 1, dash: "6px,4px" } });
    note(plain(name), bytes, 0, { textangle: -90, xanchor: "left", font: { size: 10.5, color: muted } });
  }
  // The write, copy and triad roofs share one grey: their marks tell them apart.
  const others = curves.filter(({ kind }) => CURVES[kind]).map(({ name, kind }) => `${CURVES[kind][1]} ${name}`);
  const doublings = Math.ceil(Math.log2(right / left) / (view.narrow ? 5 : 9));
  const sizes = Array.from({ length: 64 / doublings }, (_, k) => 2 ** (k * doublings));
  return {
    shapes, notes, head: 42, key: ["plain line: read roof, dashed at fewer threads", "pale bar: that roof beside the points", ...others],
    traces: [
      segments(beside.map(([x, ...band]) => band.map((rate) => [x, rate])), { color: ink, width: 5 }, { opacity: 0.2 }),
      ...drawn, ...traces(points, "bandwidth_against_working_set", view, "markers"),
    ],
    x: { title: "working set, all threads together", ends: [left, right], ...ticks(sizes, BYTES) },
    y: { title: "GB/s at the drawn roof", ends: [low, high], dtick: sparse(low, high, 4) ? 1 : "D2" },
  };
}

const CHARTS = {
  roofline, time_roofline: timeRoofline, time_against_batch: timeAgainstBatch, bandwidth_against_working_set: bandwidth,
};
