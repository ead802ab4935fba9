// The trials of a suite as harness/reports/columns.py packed them: columns of numbers, and texts by their number.
harness.suites = (() => {
  const OUTCOMES = ["passed", "failed", "error", "skipped"];
  const STATES = ["decides", "broken", "error", "flipped", "failed", "fixed", "skipped"];

  const column = (found, length) => {
    if (Array.isArray(found)) return found;
    if ("all" in found) return new Array(length).fill(found.all);
    let sum = 0;
    return found.steps.map((step) => (sum += step));
  };
  const columns = (found, length) =>
    Object.fromEntries(Object.entries(found).map(([name, values]) => [name, column(values, length)]));

  const made = (anchor, data) => {
    const { strings } = data;
    // A text that was cut is a pair: what is left of it, and how many characters are missing. -1: there is none.
    const text = (number) => (number < 0 ? "" : typeof strings[number] === "string" ? strings[number] : strings[number][0]);
    const more = (number) => (number < 0 || typeof strings[number] === "string" ? 0 : strings[number][1]);
    const [caseCount, trialCount] = data.counts;
    const trials = columns(data.trials, trialCount);
    const found = columns(data.cases, caseCount);
    const variants = data.variants.map(([name, role, slug]) => ({ name: text(name), role, slug }));
    const cases = Array.from({ length: caseCount }, (_, number) => ({
      number,
      name: text(found.name[number]),
      place: found.place[number] || `${anchor}/${text(found.name[number])}`,
      tags: found.tags[number].map(text),
      metadata: found.metadata[number].map(([key, value]) => `${text(key)} = ${text(value)}`),
      input: found.input[number],
      states: STATES.filter((_, bit) => (found.states[number] >> bit) & 1),
      rank: found.rank[number],
      // By variant, the numbers of its trials.
      arms: variants.map(() => []),
    }));
    for (let trial = 0; trial < trialCount; trial += 1) cases[trials.case[trial]].arms[trials.variant[trial]].push(trial);
    const checks = data.checks.map(([name, where, soft, turn]) => ({
      name: text(name),
      where: text(where),
      soft: soft === 1,
      turn,
    }));
    // [{check, state, reason}] of a trial; the state is 0: passed, 1: failed, 2: not scored.
    const checked = (trial) => {
      const flat = trials.checks[trial];
      return Array.from({ length: flat.length / 3 }, (_, at) => ({
        ...checks[flat[3 * at]],
        state: ["passed", "failed", "unscored"][flat[3 * at + 1]],
        reason: flat[3 * at + 2],
      }));
    };
    const ordered = [...cases].sort((one, other) => one.rank - other.rank || one.number - other.number);
    const places = new Map(cases.map((one) => [one.place, one]));
    const outcome = (trial) => OUTCOMES[trials.outcome[trial]];
    const { baseline, openings } = data;
    return { anchor, variants, baseline, openings, cases: ordered, places, trials, text, more, checked, outcome };
  };

  const loaded = new Map();
  const get = (anchor) => {
    if (!loaded.has(anchor)) loaded.set(anchor, harness.data(anchor).then((data) => made(anchor, data)));
    return loaded.get(anchor);
  };
  return { get, STATES };
})();
