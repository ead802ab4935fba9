"use strict";
// Draws every <figure data-chart="..."> from the JSON inside it. Its numbers stand beside it as a table anyway, so
// nothing is lost where a drawing cannot be made.
(() => {
  const [good, bad, quiet, ink, paper] = ["good", "bad", "quiet", "ink", "paper"].map((name) => `var(--${name})`);
  const hue = (at) => `var(--hue-${(at % 6) + 1})`;
  const dashes = ["", "6 3", "2 3", "8 3 2 3", "1 2", "12 4"];
  const percent = (value) => `${Math.round(value * 100)}%`;
  const points = (value) => (value === 0 ? "0" : `${value > 0 ? "+" : "−"}${+Math.abs(value * 100).toFixed(1)}`);
  const seconds = (value) => (!value ? "0" : value < 1 ? `${+(value * 1000).toPrecision(3)}ms` : `${+value.toPrecision(3)}s`);
  const dollars = (value) => `$${+value.toPrecision(3)}`;
  // Room for names at the left, by the longest; on a phone they may take a third.
  const room = (names, width) => Math.min(Math.max(...names.map((name) => name.length), 6) * 6.8 + 14, width * 0.36);
  const short = (name, width) => {
    const most = Math.max(Math.floor((width * 0.36 - 14) / 6.8), 5);
    return name.length > most ? `${name.slice(0, most - 1)}…` : name;
  };

  // A row of samples above a drawing, in words; `dash` and `form` say what colour says.
  const legend = (entries) => {
    const list = document.createElement("ul");
    list.className = "legend";
    for (const { name, colour, dash, form } of entries) {
      const item = document.createElement("li");
      const ns = "http://www.w3.org/2000/svg";
      const svg = document.createElementNS(ns, "svg");
      svg.setAttribute("viewBox", form === "block" ? "0 0 12 12" : "0 0 26 12");
      svg.setAttribute("width", form === "block" ? 12 : 26);
      const mark = document.createElementNS(ns, form === "block" ? "rect" : "line");
      const set = (given) => Object.entries(given).forEach(([key, value]) => mark.setAttribute(key, value));
      if (form === "block") set({ x: 0, y: 0, width: 12, height: 12, rx: 2, fill: colour });
      else set({ x1: 1, x2: 25, y1: 6, y2: 6, stroke: colour, "stroke-width": 2.5, "stroke-dasharray": dash || "none" });
      svg.append(mark);
      item.append(svg, name);
      list.append(item);
    }
    return list;
  };

  const forest = (Plot, { margin, rows }, width) => {
    const wide = width >= 560;
    const names = rows.map((row) => short(row.name, width));
    const shown = rows.map((row, at) => ({ ...row, y: at, colour: colourOf(row), label: names[at] }));
    const reach = Math.max(...rows.flatMap((row) => [Math.abs(row.low), Math.abs(row.high)]), margin) * 1.05;
    const domain = [-Math.min(reach, 1), Math.min(reach, 1)];
    const clamp = (value) => Math.min(Math.max(value, domain[0]), domain[1]);
    const right = wide ? 236 : 52;
    const columns = [
      { head: "pp", text: (row) => row.shown, dx: wide ? 58 : right - 4, fill: ink },
      ...(wide
        ? [
            { head: "interval", text: "ends", dx: 182, fill: ink },
            { head: "cases", text: (row) => row.n.toLocaleString("en"), dx: right, fill: quiet },
          ]
        : []),
    ];
    return Plot.plot({
      width,
      height: 46 + rows.length * 26,
      marginLeft: room(names, width),
      marginRight: right,
      marginTop: 22,
      marginBottom: 24,
      x: { domain, tickFormat: points, ticks: wide ? 7 : 5, label: null },
      y: { domain: shown.map((row) => row.y), axis: null, type: "band" },
      marks: [
        Plot.rectX([0], { x1: -margin, x2: margin, fill: "var(--shade)" }),
        Plot.axisX({ tickFormat: points, ticks: wide ? 7 : 5, label: null, color: quiet, tickSize: 0 }),
        Plot.ruleX([0], { stroke: quiet }),
        Plot.link(shown, {
          x1: (row) => clamp(row.low), x2: (row) => clamp(row.high), y1: "y", y2: "y",
          stroke: "colour", strokeWidth: (row) => (row.whole ? 3 : 2),
        }),
        Plot.dot(shown.filter((row) => !row.whole), {
          x: "at", y: "y", r: 4.5, stroke: "colour", strokeWidth: 2, fill: (row) => (decided(row) ? row.colour : paper),
        }),
        Plot.dot(shown.filter((row) => row.whole), { x: "at", y: "y", r: 7, symbol: "diamond", fill: "colour" }),
        Plot.axisY({
          anchor: "left", tickFormat: (at) => names[at], tickSize: 0, label: null, fontSize: 12.5, color: ink,
        }),
        ...columns.flatMap(({ head, text, dx, fill }) => [
          Plot.text(shown, {
            x: domain[1], y: "y", text, textAnchor: "end", dx, fontSize: 12, fill, fontVariant: "tabular-nums",
          }),
          Plot.text([head], { frameAnchor: "top-right", dx, dy: -18, fill: quiet, fontSize: 11 }),
        ]),
      ],
    });
  };
  const decided = (row) => row.state === "better" || row.state === "worse";
  const colourOf = (row) => (row.state === "better" ? good : row.state === "worse" ? bad : quiet);

  const flips = (Plot, { anchor, rows }, width) => {
    const names = rows.map((row) => short(row.name, width));
    const pieces = rows.flatMap((row, y) => {
      const total = row.broken + row.unchanged + row.fixed || 1;
      const ends = [0, row.broken / total, (row.broken + row.unchanged) / total, 1];
      return ["broken", "unchanged", "fixed"].map((kind, at) => ({
        y, kind, x1: ends[at], x2: ends[at + 1], count: row[kind], tag: row.tag,
        fill: { broken: bad, unchanged: "var(--shade)", fixed: good }[kind],
      }));
    }).filter((one) => one.count > 0);
    const href = (one) =>
      one.kind === "unchanged"
        ? null
        : `#${anchor}?${new URLSearchParams({ show: one.kind, ...(one.tag ? { tag: one.tag } : {}) })}`;
    const inside = (one) => (one.x2 - one.x1) * width * 0.6 > 18;
    const sign = { broken: "−", unchanged: "", fixed: "+" };
    return Plot.plot({
      width,
      height: 30 + rows.length * 26,
      marginLeft: room(names, width),
      marginRight: 34,
      marginTop: 4,
      marginBottom: 22,
      x: { domain: [0, 1], axis: null },
      y: { domain: rows.map((_, at) => at), type: "band", padding: 0.25, axis: null },
      marks: [
        Plot.axisX([0, 0.5, 1], { tickFormat: percent, tickSize: 0, color: quiet, label: null }),
        Plot.barX(pieces, { x1: "x1", x2: "x2", y: "y", fill: "fill", href, insetRight: 1, rx: 2 }),
        Plot.text(pieces.filter(inside), {
          x: (one) => (one.x1 + one.x2) / 2, y: "y", text: (one) => `${sign[one.kind]}${one.count}`, fontSize: 11.5,
          fontVariant: "tabular-nums", fontWeight: 600, fill: (one) => (one.kind === "unchanged" ? quiet : paper),
          pointerEvents: "none",
        }),
        Plot.axisY({
          anchor: "left", tickFormat: (at) => names[at], tickSize: 0, label: null, fontSize: 12.5, color: ink,
        }),
        Plot.text(rows.map((row, y) => ({ y, n: row.broken + row.unchanged + row.fixed })), {
          x: 1, y: "y", text: "n", textAnchor: "start", dx: 8, fontSize: 12, fill: quiet, fontVariant: "tabular-nums",
        }),
      ],
    });
  };
  flips.legend = () =>
    legend([
      { name: "broken (−)", colour: bad, form: "block" },
      { name: "unchanged", colour: "var(--shade)", form: "block" },
      { name: "fixed (+)", colour: good, form: "block" },
    ]);

  // Round numbers on a logarithmic axis, no more of them than there is room for.
  const roundly = (low, high, width) => {
    const steps = [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7], [1, 1.2, 1.5, 1.8, 2, 2.5, 3, 4, 5, 6, 7, 8, 9]];
    const most = Math.max(Math.floor(width / 72), 2);
    let found = [];
    for (const step of steps) {
      const all = [];
      for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power += 1)
        all.push(...step.map((one) => +(one * 10 ** power).toPrecision(3)));
      const inside = all.filter((one) => one >= low && one <= high);
      if (inside.length > most) break;
      found = inside;
    }
    return found;
  };

  const latency = (Plot, { series }, width) => {
    const steps = series.flatMap((one, at) => [[one.points[0][0], 0], ...one.points].map(([x, y]) => ({ x, y, at })));
    const dots = series.flatMap((one, at) => [
      { x: one.p50, y: 0.5, at, symbol: "circle" },
      { x: one.p95, y: 0.95, at, symbol: "square" },
    ]).filter((one) => one.x > 0);
    const times = steps.map((step) => step.x);
    const ticks = roundly(Math.min(...times), Math.max(...times, ...dots.map((dot) => dot.x)), width);
    return Plot.plot({
      width,
      height: 300,
      marginLeft: 42,
      marginRight: 14,
      marginTop: 12,
      marginBottom: 28,
      x: { type: "log", label: null },
      y: { domain: [0, 1], tickFormat: percent, ticks: 5, label: null },
      marks: [
        Plot.gridY([0, 0.25, 0.5, 0.75, 0.95, 1], { stroke: "var(--rule)", strokeOpacity: 1 }),
        Plot.axisX(ticks, { tickFormat: seconds, tickSize: 4, color: quiet, label: null }),
        Plot.axisY([0, 0.25, 0.5, 0.75, 0.95], { tickFormat: percent, tickSize: 0, color: quiet, label: null }),
        ...series.map((one, at) =>
          Plot.line(steps.filter((step) => step.at === at), {
            x: "x", y: "y", curve: "step-after", stroke: hue(at), strokeWidth: 2,
            strokeDasharray: dashes[at % dashes.length] || null,
          }),
        ),
        Plot.dot(dots, {
          x: "x", y: "y", symbol: "symbol", r: 5, fill: (one) => hue(one.at), stroke: paper, strokeWidth: 1.5,
        }),
      ],
      symbol: { type: "identity" },
    });
  };
  latency.legend = ({ series }) =>
    legend(series.map((one, at) => ({ name: `${one.name}, ${one.n}`, colour: hue(at), dash: dashes[at % 6] })));

  // Bars of parts, one below the other: what they mean stands in the legend and, where it fits, in the bar.
  const stacked = (Plot, { rows, totals }, width) => {
    const all = [...new Set(rows.map((row) => row.name))];
    const names = all.map((name) => short(name, width));
    const kinds = [...new Set(rows.map((row) => row.kind))];
    const ends = new Map();
    const pieces = rows.filter((row) => !row.judge && row.value > 0).map((row) => {
      const x1 = ends.get(row.name) ?? 0;
      ends.set(row.name, x1 + row.value);
      return { ...row, y: all.indexOf(row.name), x1, x2: x1 + row.value, at: kinds.indexOf(row.kind) };
    });
    const judges = rows.filter((row) => row.judge && row.value > 0)
      .map((row) => ({ ...row, y: all.indexOf(row.name), x1: 0, x2: row.value, at: kinds.indexOf(row.kind) }));
    const most = Math.max(...pieces.map((one) => one.x2), ...judges.map((one) => one.x2));
    const left = room(names, width);
    const fits = (one) => ((one.x2 - one.x1) / most) * (width - left - 70) > one.shown.length * 7 + 6;
    const bars = (marks, tall) => [
      Plot.barX(marks, {
        x1: "x1", x2: "x2", y: "y", fill: (one) => `var(--hue-${one.at + 1})`, insetRight: 1, rx: 2,
        ...(judges.length ? (tall ? { insetBottom: 15 } : { insetTop: 27 }) : {}),
      }),
      Plot.text(marks.filter((one) => tall && fits(one)), {
        x: (one) => (one.x1 + one.x2) / 2, y: "y", text: "shown", fill: paper, fontSize: 11.5, fontWeight: 600,
        fontVariant: "tabular-nums", dy: judges.length ? -7 : 0,
      }),
    ];
    const sums = all.map((name, y) => ({ y, x: ends.get(name) ?? 0, shown: totals[name] ?? "" }));
    return Plot.plot({
      width,
      height: 12 + all.length * (judges.length ? 44 : 34),
      marginLeft: left,
      marginRight: 70,
      marginTop: 2,
      marginBottom: 4,
      x: { domain: [0, most || 1], axis: null },
      y: { domain: all.map((_, at) => at), type: "band", padding: 0.2, axis: null },
      marks: [
        ...bars(pieces, true),
        ...bars(judges, false),
        Plot.text(sums, {
          x: "x", y: "y", text: "shown", textAnchor: "start", dx: 7, fontSize: 12.5, fontWeight: 600,
          fill: ink, fontVariant: "tabular-nums", dy: judges.length ? -7 : 0,
        }),
        Plot.axisY({
          anchor: "left", tickFormat: (at) => names[at], tickSize: 0, label: null, fontSize: 12.5, color: ink,
        }),
      ],
    });
  };
  stacked.legend = ({ rows }) =>
    legend([...new Set(rows.map((row) => row.kind))].map((name, at) => ({ name, colour: hue(at), form: "block" })));

  const front = (Plot, { rows }, width) => {
    const best = rows.filter((row) => !row.dominated).sort((a, b) => a.x - b.x);
    const colour = (row) => (row.dominated ? quiet : "var(--accent)");
    const ends = rows.flatMap((row) => [row.low, row.high]);
    const most = Math.max(...rows.map((row) => row.x));
    const tall = Math.max(...ends) - Math.min(...ends) || 1;
    // Variants in one place share a label: two on top of each other could not be read.
    const named = [];
    for (const row of rows) {
      const there = named.find((one) => Math.abs(one.x - row.x) < most * 0.06 && Math.abs(one.y - row.y) < tall * 0.08);
      if (!there) named.push({ ...row });
      else {
        there.name = `${there.name}, ${row.name}`;
        there.dominated &&= row.dominated;
      }
    }
    return Plot.plot({
      width,
      height: 340,
      marginLeft: 48,
      marginRight: 24,
      marginTop: 24,
      marginBottom: 36,
      x: { label: null, nice: true, domain: [0, most * 1.12 || 1] },
      y: { label: null, domain: [Math.max(Math.min(...ends) - 0.03, 0), Math.min(Math.max(...ends) + 0.03, 1)] },
      marks: [
        Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1, ticks: 5 }),
        Plot.axisX({ tickFormat: dollars, ticks: 6, tickSize: 4, color: quiet, label: null }),
        Plot.axisY({ tickFormat: percent, ticks: 5, tickSize: 0, color: quiet, label: null }),
        Plot.text(["USD per 1,000 requests"], { frameAnchor: "bottom-right", dy: 34, fill: quiet, fontSize: 11 }),
        Plot.line(best, { x: "x", y: "y", stroke: "var(--accent)", strokeDasharray: "3 3", curve: "step-after" }),
        Plot.link(rows, { x1: "x", x2: "x", y1: "low", y2: "high", stroke: colour, strokeWidth: 2, strokeOpacity: 0.55 }),
        Plot.dot(rows, {
          x: "x", y: "y", r: 5.5, stroke: colour, strokeWidth: 2, fill: (row) => (row.dominated ? paper : "var(--accent)"),
        }),
        ...[true, false].map((start) =>
          Plot.text(named.filter((row) => (row.x <= most * 0.75) === start), {
            x: "x", y: "y", text: "name", dx: start ? 10 : -10, dy: -9, fontSize: 12,
            textAnchor: start ? "start" : "end", fill: (row) => (row.dominated ? quiet : ink), stroke: paper, strokeWidth: 4,
          }),
        ),
      ],
    });
  };

  const looks = (Plot, { margin, planned, rows }, width) => {
    const reach = Math.min(Math.max(...rows.flatMap((row) => [Math.abs(row.low), Math.abs(row.high)]), margin) * 1.05, 1);
    const clamp = (value) => Math.min(Math.max(value, -reach), reach);
    return Plot.plot({
      width,
      height: 280,
      marginLeft: 48,
      marginRight: 16,
      marginTop: 14,
      marginBottom: 30,
      x: { domain: [0, planned], label: null },
      y: { domain: [-reach, reach], label: null },
      marks: [
        Plot.rectY([0], { y1: -margin, y2: margin, fill: "var(--shade)" }),
        Plot.axisX({ ticks: width < 480 ? 4 : 8, tickSize: 4, color: quiet, label: null }),
        Plot.axisY({ tickFormat: points, ticks: 5, tickSize: 0, color: quiet, label: null }),
        Plot.text(["cases"], { frameAnchor: "bottom-right", dy: 28, fill: quiet, fontSize: 11 }),
        Plot.ruleY([0], { stroke: quiet }),
        Plot.link(rows, {
          x1: "cases", x2: "cases", y1: (row) => clamp(row.low), y2: (row) => clamp(row.high), strokeWidth: 2.5,
          stroke: (row) => (row.low > 0 ? good : row.high < 0 ? bad : quiet),
        }),
        Plot.dot(rows, {
          x: "cases", y: "at", r: 4, strokeWidth: 2, stroke: (row) => (row.low > 0 ? good : row.high < 0 ? bad : quiet),
          fill: (row) => (row.low > 0 ? good : row.high < 0 ? bad : paper),
        }),
      ],
    });
  };

  const trend = (Plot, { unit, days, series }, width) => {
    const format = { share: percent, seconds, usd: dollars }[unit];
    const all = series.flatMap((one, at) => one.points.map((point) => ({ ...point, at })));
    const ends = all.flatMap((one) => [one.y, one.low ?? one.y, one.high ?? one.y]);
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    const spare = (high - low || high || 1) * 0.08;
    const last = days.length - 1;
    // The days of the first run, the last, and where there is room some between.
    const shown = [...new Set(width > 300 ? [0, Math.round(last / 2), last] : [0, last])];
    return Plot.plot({
      width,
      height: 190,
      marginLeft: 50,
      marginRight: 34,
      marginTop: 10,
      marginBottom: 24,
      x: { domain: [0, last], label: null },
      y: {
        domain: unit === "share" ? [Math.max(low - spare, 0), Math.min(high + spare, 1)] : [0, high + spare],
        label: null,
      },
      marks: [
        Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1, ticks: 4 }),
        Plot.axisX(shown, { tickFormat: (at) => days[at], tickSize: 0, color: quiet, label: null }),
        Plot.axisY({ tickFormat: format, ticks: 4, tickSize: 0, color: quiet, label: null }),
        ...series.flatMap((one, at) => {
          const whole = one.points.filter((point) => !point.part);
          return [
            Plot.areaY(whole.filter((point) => point.low !== null), {
              x: "x", y1: "low", y2: "high", fill: hue(at), fillOpacity: 0.1,
            }),
            Plot.line(whole, {
              x: "x", y: "y", stroke: hue(at), strokeWidth: 2, strokeDasharray: dashes[at % dashes.length] || null,
            }),
          ];
        }),
        Plot.dot(all, {
          x: "x", y: "y", r: days.length > 60 ? 1.2 : days.length > 20 ? 2 : 3, stroke: (one) => hue(one.at), strokeWidth: 1.5,
          fill: (one) => (one.part ? paper : hue(one.at)), title: "shown",
        }),
      ],
    });
  };
  trend.legend = ({ series }) =>
    legend(series.map((one, at) => ({ name: one.name, colour: hue(at), dash: dashes[at % 6] })));

  const drawings = { forest, flips, latency, parts: stacked, cost: stacked, front, looks, trend };

  const draw = (Plot, figure) => {
    const drawing = drawings[figure.dataset.chart];
    const place = figure.querySelector(".drawing");
    const width = Math.round(place.clientWidth);
    if (!drawing || !width || figure.dataset.drawn === String(width)) return;
    const data = JSON.parse(figure.querySelector("script").textContent);
    const svg = drawing(Plot, data, width);
    // Nobody hears what is drawn, so no key may lead into it: its links stand in the table beside it.
    for (const link of svg.querySelectorAll("a")) link.setAttribute("tabindex", "-1");
    place.replaceChildren(...(drawing.legend ? [drawing.legend(data)] : []), svg);
    figure.dataset.drawn = String(width);
  };

  addEventListener("DOMContentLoaded", () => {
    const figures = [...document.querySelectorAll("figure[data-chart]")];
    if (!figures.length || typeof harness === "undefined" || !harness.able) return;
    let loaded = null;
    // One that cannot be drawn takes no other with it.
    const attempt = (figure) => {
      try {
        draw(loaded, figure);
      } catch (error) {
        reportError(error);
      }
    };
    const all = () => loaded && figures.forEach(attempt);
    const start = async () => {
      loaded ??= await harness.plot();
      all();
      let waiting = 0;
      addEventListener("resize", () => {
        clearTimeout(waiting);
        waiting = setTimeout(all, 150);
      });
    };
    let started = null;
    // All at once when the first comes near: whoever prints the page then finds every one of them on paper.
    for (const figure of figures) harness.seen(figure, () => (started ??= start()), { printed: true });
  });
})();
