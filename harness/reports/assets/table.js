// The table of a suite's cases: rows that are on the screen only, sorted and filtered in memory.
// What is chosen stands in the address as #suite?show=failed&tag=x&find=words.
harness.tables = (() => {
  const { element, button, mark, hear, seconds, money, whole, count, replace } = harness;
  // Of more kinds than this, a list to choose from helps nobody.
  const [VALUES, MARKS] = [200, 5];
  const OLD = { changed: "flipped" };

  const counted = (values) => {
    const found = new Map();
    for (const value of values) found.set(value, (found.get(value) ?? 0) + 1);
    return found;
  };
  const mean = (numbers) => {
    const known = numbers.filter((one) => one !== null);
    return known.length ? known.reduce((sum, one) => sum + one, 0) / known.length : null;
  };
  const joined = (values, show) => {
    const known = values.filter((one) => one !== null).map(Number);
    if (!known.length) return "–";
    const texts = values.map((one) => (one === null ? "–" : show(one)));
    if (texts.every((text) => text === texts[0])) return texts[0];
    return texts.length < 3 ? texts.join(" · ") : `${show(Math.min(...known))} – ${show(Math.max(...known))}`;
  };
  const failedChecks = (suite, one) => {
    const names = one.arms.flat().flatMap((trial) => suite.checked(trial).filter((check) => check.state === "failed"));
    return [...new Set(names.map((check) => check.name))];
  };

  const preview = (suite, one) => suite.text(one.input).slice(0, 300).replace(/\s+/g, " ");
  // Far faster than localeCompare, which asks for the language anew each time.
  const { compare } = new Intl.Collator("en", { numeric: true });

  const rowOf = (suite, one) => {
    const { trials } = suite;
    const latencies = one.arms.map((arm) => mean(arm.map((trial) => trials.latency[trial])));
    const costs = one.arms.map((arm) => mean(arm.map((trial) => trials.cost[trial])));
    const passes = one.arms.map((arm) => arm.filter((trial) => trials.outcome[trial] === 0).length / (arm.length || 1));
    return {
      number: one.number,
      one,
      name: one.name,
      tags: one.tags.join(" "),
      input: preview(suite, one),
      latencies,
      costs,
      latency: Math.max(...latencies, -1),
      cost: Math.max(...costs, -1),
      ...Object.fromEntries(passes.map((share, at) => [`variant${at}`, one.arms[at].length ? share : -1])),
    };
  };

  const armCell = (suite, arm) => {
    if (!arm.length) return element("span.quiet", "–");
    const passed = arm.filter((trial) => suite.trials.outcome[trial] === 0).length;
    const said = hear(`${passed} of ${count(arm.length, "trial")} passed`);
    if (arm.length > MARKS) return element("span.arm", element("span.ratio", `${passed}/${arm.length}`), said);
    return element("span.arm", ...arm.map((trial) => mark(suite.outcome(trial))), said);
  };
  const nameCell = ({ one, input }) => {
    const link = element("a.name", one.name);
    link.href = `#${one.place}`;
    const decides = one.states.includes("decides") ? element("span.tag.decides", "decides") : null;
    return element("span.what", link, decides, element("span.preview.narrow", input));
  };
  const bidi = (made) => {
    made.dir = "auto";
    return made;
  };

  const columns = (suite) => {
    // Formatters give elements: Tabulator would take a text for markup.
    const column = (title, field, width, show, more = {}) => ({
      title: "",
      titleFormatter: () => element("span", title),
      field,
      formatter: (cell) => show(cell.getRow().getData()),
      headerHozAlign: more.hozAlign,
      ...width,
      ...more,
    });
    const text = { sorter: (a, b) => compare(a, b) };
    const number = { sorter: (a, b) => a - b, headerSortStartingDir: "desc" };
    const right = { hozAlign: "right", ...number };
    const wide = { visible: !matchMedia("(max-width: 45rem)").matches };
    return [
      column("case", "name", { widthGrow: 3, minWidth: 170 }, nameCell, text),
      column("tags", "tags", { width: 120 }, ({ one }) => element("span", ...one.tags.map((tag) => element("span.tag", tag))), {
        visible: wide.visible && suite.cases.some((one) => one.tags.length),
        ...text,
      }),
      column("input", "input", { widthGrow: 4, minWidth: 140 }, ({ input }) => bidi(element("span.preview", input)), {
        ...wide,
        ...text,
      }),
      ...suite.variants.map((variant, at) =>
        column(variant.name, `variant${at}`, { minWidth: 84, widthGrow: 1 }, ({ one }) => armCell(suite, one.arms[at]), number),
      ),
      column("latency", "latency", { width: 136 }, (row) => element("span", joined(row.latencies, seconds)), {
        ...right,
        visible: wide.visible && suite.trials.latency.some((latency) => latency !== null),
      }),
      column("cost", "cost", { width: 200 }, (row) => element("span", joined(row.costs, money)), {
        ...right,
        visible: wide.visible && suite.trials.cost.some((cost) => cost !== null),
      }),
    ];
  };

  const choice = (label, values, all) => {
    const select = element("select", new Option(all, ""));
    select.setAttribute("aria-label", label);
    for (const [value, number] of values) select.append(new Option(`${value} (${whole(number)})`, value));
    select.hidden = values.length === 0;
    return select;
  };
  const facet = (values) =>
    [...counted(values)].sort((one, other) => one[0].localeCompare(other[0])).slice(0, VALUES);
  const metadata = (suite) => {
    const pairs = facet(suite.cases.flatMap((one) => one.metadata));
    const keys = counted(pairs.map(([pair]) => pair.split(" = ", 1)[0]));
    return pairs.filter(([pair]) => keys.get(pair.split(" = ", 1)[0]) <= 30);
  };

  const makeForm = (suite, checks) => {
    const states = harness.suites.STATES.map((state) => [state, suite.cases.filter((one) => one.states.includes(state)).length]);
    const radios = [["", suite.cases.length], ...states.filter(([, number]) => number)].map(([state, number]) => {
      const input = element("input");
      Object.assign(input, { type: "radio", name: `show:${suite.anchor}`, value: state, checked: !state });
      return element("label", input, ` ${state || "all"} `, element("b", whole(number)));
    });
    const search = element("input");
    Object.assign(search, { type: "search", placeholder: "find", autocomplete: "off", spellcheck: false });
    search.setAttribute("aria-label", "Find in cases: ids, inputs, outputs");
    const selects = {
      tag: choice("Tag", facet(suite.cases.flatMap((one) => one.tags)), "any tag"),
      check: choice("Check that failed", facet([...checks.values()].flat()), "any check"),
      metadata: choice("Metadata", metadata(suite), "any metadata"),
    };
    const form = element(
      "form.filter",
      element("fieldset", element("legend.hear", "Which cases to show"), ...radios),
      ...Object.values(selects),
      search,
    );
    form.addEventListener("submit", (event) => event.preventDefault());
    return { form, selects, search, radios: [...form.querySelectorAll("[type=radio]")] };
  };

  const build = async (section) => {
    const anchor = section.dataset.suite;
    const [suite, Tabulator] = await Promise.all([harness.suites.get(anchor), harness.tabulator()]);
    const checks = new Map(suite.cases.map((one) => [one.number, failedChecks(suite, one)]));
    const parts = makeForm(suite, checks);
    const { form, selects, search, radios } = parts;
    const status = element("p.hear");
    status.setAttribute("role", "status");
    const holder = element("div");
    section.querySelector(".live").replaceChildren(element("div.tools", form, status), holder);

    let current = null;
    let shown = null;
    const table = new Tabulator(holder, {
      data: suite.cases.map((one) => rowOf(suite, one)),
      columns: columns(suite),
      index: "number",
      layout: "fitColumns",
      maxHeight: "min(44rem, 80vh)",
      rowHeight: 44,
      nestedFieldSeparator: false,
      keybindings: false,
      // It would draw all rows anew, and take the focus from one, whenever something on the page moves.
      autoResize: false,
      placeholder: "No case matches.",
      columnDefaults: { resizable: false, tooltip: false, headerTooltip: false, vertAlign: "middle" },
      rowFormatter: (row) => row.getElement().classList.toggle("current", row.getData().number === current),
    });
    await new Promise((built) => table.on("tableBuilt", built));
    // Its rows are what can have the focus; a part of a grid that is no row confuses who listens to it.
    holder.querySelector(".tabulator-tableholder").removeAttribute("tabindex");
    let width = holder.clientWidth;
    addEventListener("resize", () => {
      if (holder.clientWidth !== width) table.redraw();
      width = holder.clientWidth;
    });
    for (const event of ["dataFiltered", "dataSorted"]) table.on(event, () => (shown = null));
    table.on("rowClick", (event, row) => {
      if (!event.target.closest("a") && !String(getSelection())) location.hash = row.getData().one.place;
    });

    let texts = null;
    const searched = (one) => {
      const said = one.arms.flat().flatMap((trial) => [suite.trials.output[trial], suite.trials.error[trial]?.[1] ?? -1]);
      return [one.name, ...one.tags, ...one.metadata, ...[one.input, ...said].map(suite.text)].join("\n").toLowerCase();
    };
    const chosen = () => ({
      show: radios.find((one) => one.checked)?.value ?? "",
      ...Object.fromEntries(Object.entries(selects).map(([name, select]) => [name, select.value])),
      find: search.value.trim(),
    });
    const apply = () => {
      const { show, tag, check, metadata: pair, find } = chosen();
      const wanted = find.toLowerCase();
      if (wanted) texts ??= new Map(suite.cases.map((one) => [one.number, searched(one)]));
      const fits = (one) =>
        (!show || one.states.includes(show)) &&
        (!tag || one.tags.includes(tag)) &&
        (!pair || one.metadata.includes(pair)) &&
        (!check || checks.get(one.number).includes(check)) &&
        (!wanted || texts.get(one.number).includes(wanted));
      if (show || tag || check || pair || wanted) table.setFilter(({ one }) => fits(one));
      else table.clearFilter();
      const left = table.getDataCount("active");
      status.textContent = left === suite.cases.length ? "" : `${whole(left)} of ${count(suite.cases.length, "case")} shown`;
    };
    const address = () => {
      const query = new URLSearchParams(Object.entries(chosen()).filter(([, value]) => value)).toString();
      return `${anchor}${query ? `?${query}` : ""}`;
    };
    const changed = () => {
      apply();
      replace(address());
    };
    const set = (query) => {
      const show = OLD[query.get("show")] ?? query.get("show") ?? "";
      (radios.find((one) => one.value === show) ?? radios[0]).checked = true;
      for (const [name, select] of Object.entries(selects)) {
        select.value = query.get(name) ?? "";
        if (select.selectedIndex < 0) select.value = "";
      }
      search.value = query.get("find") ?? "";
      apply();
    };
    let waiting = 0;
    form.addEventListener("change", changed);
    search.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(changed, 120);
    });

    // Not its getData("active"), which gives copies: those could not be found among the cases again.
    const rows = () => (shown ??= table.getRows("active").map((row) => row.getData().one));
    const point = (number) => {
      const before = current;
      current = number;
      for (const one of [before, number]) {
        const row = one !== null && table.getRow(one);
        if (row) row.getElement().classList.toggle("current", one === current);
      }
    };
    const focus = async (number) => {
      point(number);
      if (!rows().some((one) => one.number === number)) return;
      await table.scrollToRow(number, "nearest", false);
      table.getRow(number).getElement().querySelector("a")?.focus({ preventScroll: true });
    };
    const step = (by) => {
      const all = rows();
      const at = all.findIndex((one) => one.number === current);
      const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)];
      if (!next) return;
      holder.scrollIntoView({ block: "nearest" });
      focus(next.number);
    };
    holder.addEventListener("focusin", (event) => {
      const row = event.target.closest?.(".tabulator-row");
      const found = row && table.getRows("visible").find((one) => one.getElement() === row);
      if (found) point(found.getData().number);
    });
    const clear = () => {
      set(new URLSearchParams());
      replace(anchor);
    };
    const enter = () => {
      const one = rows().find((found) => found.number === current);
      if (one) location.hash = one.place;
    };
    return { section, suite, holder, search, set, clear, address, rows, focus, step, enter };
  };

  const made = new Map();
  // The table of a section, built when it is first asked for.
  const get = (section) => {
    if (!made.has(section)) made.set(section, build(section));
    return made.get(section);
  };
  const ready = (section) => made.get(section);
  const sections = () => [...document.querySelectorAll("section.cases")];
  const of = (anchor) => sections().find((one) => one.dataset.suite === anchor);
  return { get, ready, of, sections, button };
})();
