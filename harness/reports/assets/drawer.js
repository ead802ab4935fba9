// One case over the page: what every variant made of it, side by side, and all that is known of each trial.
harness.drawer = (() => {
  const { element, button, mark, seconds, money, whole, count } = harness;
  let differences = true;

  const pre = (text, kind) => {
    const made = element(`pre.${kind}`, text);
    made.dir = "auto";
    made.tabIndex = 0;
    return made;
  };
  const cutNote = (more) => (more ? element("p.cut", `${whole(more)} more characters are in results.jsonl`) : null);
  const said = (suite, number, kind) => [pre(suite.text(number), kind), cutNote(suite.more(number))];
  const folded = (kind, title, ...inside) => element(`details.${kind}`, element("summary", ...title), ...inside);

  // An answer, set against the baseline's where there is one.
  const compared = (suite, number, other, name) => {
    const text = suite.text(number);
    const before = other === undefined ? null : suite.text(other);
    const laid = harness.words.laidOut(text);
    const [shown, json] = [laid ?? text, laid !== null];
    const about = json && laid !== text ? "JSON, set out in lines" : "";
    const plain = (note) => [
      pre(shown, json ? "output.json" : "output"),
      cutNote(suite.more(number)),
      element("p.cut", [about, note].filter(Boolean).join(" · ")),
    ];
    if (before === null) return plain("");
    if (suite.more(number) || suite.more(other)) return plain(`cut, so not set against ${name}`);
    if (number === other) return plain(`same words as ${name}`);
    const found = harness.words.against(json ? (harness.words.laidOut(before, text) ?? before) : before, shown);
    if (found === "long") return plain(`too long to be set against ${name} here`);
    if (found === "rewritten") return plain(`worded quite differently from ${name}`);
    if (!found.gone && !found.new) return plain(`same words as ${name}`);
    const note = `against ${name}: ${whole(found.new)} new, ${whole(found.gone)} gone`;
    const tags = { same: "span", gone: "del", new: "ins" };
    const marked = pre("", json ? "output.json" : "output");
    marked.append(...found.pieces.map((piece) => element(tags[piece.kind], piece.text)));
    return [marked, element("p.cut", about ? `${about} · ${note}` : note)];
  };

  const answers = (suite, trial, baseline, name) => {
    const { output, turns } = suite.trials;
    const against = differences && baseline !== undefined;
    if (!turns[trial]) {
      if (output[trial] < 0) return [];
      return compared(suite, output[trial], against && output[baseline] >= 0 ? output[baseline] : undefined, name);
    }
    return turns[trial].map(([asked, answer, latency, ttft], at) => {
      const times = [seconds(latency), ttft === null ? "" : `ttft ${seconds(ttft)}`].filter(Boolean).join(", ");
      const other = against && turns[baseline] ? turns[baseline][at]?.[1] : undefined;
      return element(
        "div.turn",
        element("h5", `turn ${at + 1} `, element("span", times)),
        ...said(suite, asked, "asked"),
        ...compared(suite, answer, other, name),
      );
    });
  };

  const check = (suite, one) => {
    const told = [one.state, one.turn ? `turn ${one.turn}` : "", one.soft ? "soft" : ""].filter(Boolean).join(", ");
    const reason = suite.text(one.reason);
    return element(
      `li.${one.state}${one.soft ? ".soft" : ""}`,
      mark(one.state),
      element(
        "div",
        element("b", one.name),
        " ",
        element("span.quiet", told),
        one.where ? element("span.where", ` ${one.where}`) : null,
        reason ? element("p", reason) : null,
        cutNote(suite.more(one.reason)),
      ),
    );
  };
  const checks = (suite, trial) => {
    const all = suite.checked(trial);
    const held = all.filter((one) => one.state === "passed");
    const open = all.filter((one) => one.state !== "passed").sort((one, other) => one.soft - other.soft);
    const list = (some) => element("ul.checks", ...some.map((one) => check(suite, one)));
    return [
      open.length ? list(open) : null,
      held.length ? folded("held", [mark("passed"), ` ${count(held.length, "check")} passed`], list(held)) : null,
    ];
  };

  const SOURCES = { mock: "mocked", service: "run by the service", mcp: "over MCP", assistant: "another assistant" };
  const data = (suite, number, kind) => {
    const text = suite.text(number);
    return [pre(harness.words.laidOut(text) ?? text, kind), cutNote(suite.more(number))];
  };
  const call = (suite, [name, given, output, error, source, drift, duration], longest) => {
    const bar = element("span.bar");
    bar.style.width = `${Math.max(((duration ?? 0) / longest) * 100, 1)}%`;
    const told = [SOURCES[suite.text(source)] ?? "", seconds(duration)].filter(Boolean).join(", ");
    return element(
      `div.call${error >= 0 ? ".error" : ""}`,
      element("p", mark(error >= 0 ? "error" : "passed"), " ", element("b", suite.text(name)), " ", element("span.quiet", told)),
      duration === null ? null : element("p.span", bar),
      ...data(suite, given, "message"),
      ...(output >= 0 ? [element("p.quiet", "gave"), ...data(suite, output, "message")] : []),
      error >= 0 ? element("p.bad", `error: ${suite.text(error)}`) : null,
      drift >= 0 ? element("p.quiet", `differs from the recording: ${suite.text(drift)}`) : null,
    );
  };
  const line = (suite, trial, one, [role, text, calls = [], notes = []], longest) => {
    const above = { [one.input]: "the input, as above", [suite.trials.output[trial]]: "the answer above" };
    const again = text >= 0 && above[text] && suite.text(text).length > 160;
    const words = again ? [element("span.quiet", above[text])] : suite.text(text) ? said(suite, text, "message") : [];
    return element(
      "li",
      element("b", suite.text(role)),
      " ",
      ...words,
      ...notes.map((note) => element("p.quiet", suite.text(note))),
      ...calls.map((made) => call(suite, made, longest)),
    );
  };
  const prompt = (suite, trial) => {
    const opening = suite.openings[suite.trials.opening[trial]];
    if (!opening) return null;
    const length = opening.reduce((sum, [, text]) => sum + suite.text(text).length + suite.more(text), 0);
    const told = ` ${count(opening.length, "message")}, ${whole(length)} characters`;
    const messages = opening.map(([role, text]) => element("li", element("b", suite.text(role)), ...said(suite, text, "message")));
    return folded("prompt", ["Prompt as sent", element("span.quiet", told)], element("ol", ...messages));
  };
  const transcript = (suite, trial, one) => {
    const { messages, shown } = suite.trials;
    const lines = messages[trial] || [];
    const calls = lines.flatMap((found) => found[2] ?? []);
    const longest = Math.max(...calls.map((made) => made[6] ?? 0), 1);
    const more = (shown[trial] || []).map(([name, text]) => element("li", element("b", name), ...data(suite, text, "message")));
    if (!lines.length && !more.length) return null;
    const told = [count(lines.length, "message"), calls.length ? count(calls.length, "tool call") : ""].filter(Boolean).join(", ");
    const title = lines.length ? ["Transcript", element("span.quiet", ` ${told}`)] : ["Facts"];
    const made = folded("transcript", title, element("ol", ...lines.map((found) => line(suite, trial, one, found, longest)), ...more));
    // What tools did is what people come for.
    made.open = calls.length > 0;
    return made;
  };

  const MODES = { replayed: "replayed", recorded: "recorded in this run" };
  const cassette = (suite, trial, one) => {
    const found = suite.trials.cassette[trial];
    if (!found) return [];
    const [folder, file, mode, made] = found;
    const name = file < 0 ? `${one.name}.${suite.trials.repeat[trial]}.yaml` : suite.text(file);
    const facts = (suite.trials.recorded[trial] || []).map(([key, value]) => `${suite.text(key)} ${suite.text(value)}`);
    const when = suite.text(made).slice(0, 16).replace("T", " ");
    return [[MODES[mode] ?? mode, [`${suite.text(folder)}/${name}`, when, ...facts].filter(Boolean).join(", ")]];
  };
  // Of a trial without tools a millisecond between its requests is left, and nothing took it.
  const parts = ([model, tools, retries]) =>
    [["model", model], ["tools", tools], ["retries", retries]]
      .filter(([, time]) => time > 0.005 * (model + tools + retries))
      .map(([name, time]) => `${name} ${seconds(time)}`)
      .join(", ");
  const facts = (suite, trial, one) => {
    const { trials, text } = suite;
    const [input, output, cached, reasoning] = trials.tokens[trial];
    const extra = [cached ? `${whole(cached)} cached` : "", reasoning ? `${whole(reasoning)} reasoning` : ""].filter(Boolean);
    const time = trials.time[trial] ? parts(trials.time[trial]) : "";
    const tokens = input === null || output === null ? "" : `${whole(input)} in + ${whole(output)} out`;
    const rows = [
      ["latency", [seconds(trials.latency[trial]), time].filter(Boolean).join(": ")],
      ["first token", seconds(trials.ttft[trial])],
      ["tokens", [tokens, ...extra].filter(Boolean).join(", ")],
      ["cost", money(trials.cost[trial])],
      ["judge", money(trials.judge[trial])],
      ["model", text(trials.model[trial])],
      ["finish", text(trials.finish[trial])],
      ["attempts", trials.attempts[trial] ? String(trials.attempts[trial]) : ""],
      ["score", trials.score[trial] === null ? "" : String(trials.score[trial])],
      ["prompt", text(trials.prompt[trial])],
      ...cassette(suite, trial, one),
    ];
    const files = (trials.files[trial] || []).map((path) => {
      const link = element("a", text(path).split("/").pop());
      // Only what the run itself keeps is listed; a path that starts so can lead nowhere else.
      if (text(path).startsWith("files/")) link.href = encodeURI(text(path));
      return element("dd", link);
    });
    return element(
      "dl.facts",
      ...rows.filter(([, value]) => value).flatMap(([term, value]) => [element("dt", term), element("dd", value)]),
      ...(files.length ? [element("dt", "files"), ...files] : []),
    );
  };

  const failure = (suite, trial) => {
    const error = suite.trials.error[trial];
    if (!error) return null;
    const [kind, message, where] = error;
    const place = suite.text(where) ? element("span.where", ` ${suite.text(where)}`) : null;
    return element("div.failure", element("p", element("strong", suite.text(kind)), place), ...said(suite, message, "message"));
  };
  const trialView = (suite, one, variant, trial, baseline) => {
    const name = suite.variants[suite.baseline]?.name ?? "";
    const outcome = suite.outcome(trial);
    const title = element(
      "h3",
      mark(outcome),
      ` ${suite.variants[variant].name} `,
      element("span.quiet", suite.trials.decides[trial] ? `${outcome}, decides` : outcome),
    );
    const made = element(
      `article.trial.${outcome}`,
      title,
      failure(suite, trial),
      ...answers(suite, trial, variant === suite.baseline ? undefined : baseline, name),
      ...checks(suite, trial),
      transcript(suite, trial, one),
      prompt(suite, trial),
      facts(suite, trial, one),
    );
    made.dataset.variant = suite.variants[variant].slug;
    return made;
  };

  const repeatsOf = (suite, one) =>
    [...new Set(one.arms.flat().map((trial) => suite.trials.repeat[trial]))].sort((a, b) => a - b);
  const telling = (suite, one) => {
    // The first repeat in which something did not pass.
    const open = one.arms.flat().filter((trial) => suite.trials.outcome[trial] !== 0);
    return open.length ? Math.min(...open.map((trial) => suite.trials.repeat[trial])) : repeatsOf(suite, one)[0];
  };

  const make = () => {
    const dialog = element("dialog.drawer");
    dialog.setAttribute("aria-labelledby", "page:drawer-title");
    const title = element("h2");
    // What is read out first.
    Object.assign(title, { id: "page:drawer-title", tabIndex: -1, autofocus: true });
    const [place, status, body] = [element("p.quiet"), element("p.hear"), element("div.drawer-body")];
    status.setAttribute("role", "status");
    body.tabIndex = -1;
    const box = element("input");
    Object.assign(box, { type: "checkbox", checked: true });
    const toggle = element("label.toggle", box, " word differences");
    let now = null;

    const picker = (suite, one, repeat) => {
      const repeats = repeatsOf(suite, one);
      if (repeats.length < 2) return null;
      const choose = (number) => {
        const marks = one.arms.map((arm) => arm.filter((trial) => suite.trials.repeat[trial] === number));
        const made = button("", () => go(one, number), `Repeat ${number}: ${marks.flat().map(suite.outcome).join(", ")}`);
        made.append(`${number} `, ...marks.flat().map((trial) => mark(suite.outcome(trial))));
        made.setAttribute("aria-pressed", String(number === repeat));
        return made;
      };
      const made = element("div.repeats", element("span.quiet", "repeat"), ...repeats.map(choose));
      made.setAttribute("role", "group");
      made.setAttribute("aria-label", "Repeats");
      return made;
    };
    const show = () => {
      const { suite, one, repeat, cases } = now;
      const at = cases.indexOf(one);
      title.textContent = one.name;
      place.textContent = [`${whole(at + 1)} of ${whole(cases.length)}`, ...one.tags, ...one.metadata].join(" · ");
      toggle.hidden = suite.baseline < 0 || suite.variants.length < 2;
      const found = one.arms.map((arm) => arm.find((trial) => suite.trials.repeat[trial] === repeat));
      const views = found.map((trial, variant) =>
        trial === undefined ? null : trialView(suite, one, variant, trial, found[suite.baseline]),
      );
      body.replaceChildren(
        element("h3", "Input"),
        ...[...said(suite, one.input, "asked"), picker(suite, one, repeat)].filter(Boolean),
        element("div.arms", ...views),
      );
      [previous.disabled, next.disabled] = [at <= 0, at >= cases.length - 1];
    };
    const go = (one, repeat) => {
      now = { ...now, one, repeat: repeat ?? telling(now.suite, one) };
      show();
      dialog.scrollTop = 0;
      harness.replace(one.place);
    };
    const step = (by) => {
      const to = now.cases[now.cases.indexOf(now.one) + by];
      if (!to) return;
      go(to);
      status.textContent = to.name;
    };
    const [previous, next] = [button("‹", () => step(-1), "Previous case"), button("›", () => step(1), "Next case")];
    const copy = button("copy link", () => harness.copy(`${location.href.split("#")[0]}#${now.one.place}`));
    const close = button("close", () => dialog.close());
    const bar = element("div.drawer-bar", previous, next, toggle, element("span.grow"), copy, close);
    dialog.append(bar, title, place, status, body);
    box.addEventListener("change", () => {
      differences = box.checked;
      show();
    });
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => now.closed(now.one));
    const keys = {
      j: () => step(1),
      k: () => step(-1),
      ArrowRight: () => step(1),
      ArrowLeft: () => step(-1),
      d: () => !toggle.hidden && box.click(),
    };
    dialog.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
      event.preventDefault();
      event.stopPropagation();
      keys[event.key]();
    });
    document.body.append(dialog);

    // Show a case. `cases` are those that come before and after it, `closed` hears which one was shown last.
    return ({ suite, one, cases, variant, repeat, closed }) => {
      const among = cases.includes(one) ? cases : suite.cases;
      now = { suite, one, repeat: repeat ?? telling(suite, one), cases: among, closed };
      show();
      if (!dialog.open) dialog.showModal();
      const aimed = variant && [...body.querySelectorAll(".trial")].find((made) => made.dataset.variant === variant);
      if (aimed) {
        aimed.classList.add("aimed");
        aimed.scrollIntoView();
      } else dialog.scrollTop = 0;
    };
  };

  let open = null;
  const get = () => (open ??= make());
  const shut = () => document.querySelector("dialog.drawer")?.close();
  return { show: (what) => get()(what), shut };
})();
