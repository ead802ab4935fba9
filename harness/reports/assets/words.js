// One text against another, word by word; and JSON in lines, so that it can be read and compared.
harness.words = (() => {
  const CELLS = 6e6;
  const tokens = (text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];

  // How long the longest common part of before[i..] and after[j..] is, for every i and j.
  const lengths = (before, after) => {
    const wide = after.length + 1;
    const table = new Uint16Array((before.length + 1) * wide);
    for (let i = before.length - 1; i >= 0; i -= 1)
      for (let j = after.length - 1; j >= 0; j -= 1)
        table[i * wide + j] =
          before[i] === after[j]
            ? table[(i + 1) * wide + j + 1] + 1
            : Math.max(table[(i + 1) * wide + j], table[i * wide + j + 1]);
    return table;
  };

  const middle = (before, after) => {
    const table = lengths(before, after);
    const wide = after.length + 1;
    const found = [];
    let [i, j] = [0, 0];
    while (i < before.length || j < after.length) {
      if (i < before.length && j < after.length && before[i] === after[j]) {
        found.push(["same", before[i]]);
        i += 1;
        j += 1;
      } else if (j >= after.length || (i < before.length && table[(i + 1) * wide + j] >= table[i * wide + j + 1])) {
        found.push(["gone", before[i]]);
        i += 1;
      } else {
        found.push(["new", after[j]]);
        j += 1;
      }
    }
    return found;
  };

  // Runs of changes become one piece that is gone and one that is new; space between two changes belongs to both.
  const merged = (steps) => {
    const found = [];
    let [gone, added] = ["", ""];
    const flush = () => {
      if (gone) found.push({ kind: "gone", text: gone });
      if (added) found.push({ kind: "new", text: added });
      [gone, added] = ["", ""];
    };
    steps.forEach(([kind, text], at) => {
      const bridge = kind === "same" && /^\s+$/.test(text) && (gone || added) && steps[at + 1] && steps[at + 1][0] !== "same";
      if (kind === "gone" || bridge) gone += text;
      if (kind === "new" || bridge) added += text;
      if (kind !== "same" || bridge) return;
      flush();
      const last = found.at(-1);
      if (last?.kind === "same") last.text += text;
      else found.push({ kind: "same", text });
    });
    flush();
    return found;
  };

  const isWord = (token) => /[\p{L}\p{N}]/u.test(token);

  // {pieces, gone, new, same} or a sentence that says why there is none.
  const against = (before, after) => {
    const [old, now] = [tokens(before), tokens(after)];
    let [head, tail] = [0, 0];
    const least = Math.min(old.length, now.length);
    while (head < least && old[head] === now[head]) head += 1;
    while (tail < least - head && old[old.length - 1 - tail] === now[now.length - 1 - tail]) tail += 1;
    const [left, right] = [old.slice(head, old.length - tail), now.slice(head, now.length - tail)];
    if ((left.length + 1) * (right.length + 1) > CELLS || Math.max(left.length, right.length) > 65000) return "long";
    const steps = [
      ...old.slice(0, head).map((one) => ["same", one]),
      ...middle(left, right),
      ...old.slice(old.length - tail).map((one) => ["same", one]),
    ];
    const counted = { same: 0, gone: 0, new: 0 };
    for (const [kind, token] of steps) counted[kind] += isWord(token);
    if (counted.same < 0.25 * Math.max(counted.same + counted.gone, counted.same + counted.new)) return "rewritten";
    return { pieces: merged(steps), ...counted };
  };

  // JSON as a tree that keeps numbers and repeated keys as they were spelled: [open, [[key, value], ...]] or a token.
  const parsed = (text) => {
    const found = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
    let at = 0;
    const value = () => {
      const token = found[at++];
      if (token !== "{" && token !== "[") return token;
      const members = [];
      while (found[at] !== "}" && found[at] !== "]") {
        if (found[at] === ",") at += 1;
        let key = null;
        if (token === "{") {
          key = found[at];
          at += 2;
        }
        members.push([key, value()]);
      }
      at += 1;
      return [token, members];
    };
    return value();
  };
  const ordered = (one, like) => {
    if (typeof one === "string" || !Array.isArray(like) || one[0] !== like[0]) return one;
    const places = new Map(like[1].map(([key], place) => [key, place]));
    const members = one[1].map(([key, inner], at) => [
      key,
      ordered(inner, key === null ? like[1][at]?.[1] : like[1][places.get(key)]?.[1]),
    ]);
    if (one[0] === "{") members.sort((a, b) => (places.get(a[0]) ?? members.length) - (places.get(b[0]) ?? members.length));
    return [one[0], members];
  };
  const written = (one, depth) => {
    if (typeof one === "string") return one;
    const [open, members] = one;
    const close = open === "{" ? "}" : "]";
    const items = members.map(([key, inner]) => (key === null ? "" : `${key}: `) + written(inner, depth + 1));
    const line = `${open}${items.join(", ")}${close}`;
    if (!items.length || (depth && line.length <= 72 && !members.some(([, inner]) => Array.isArray(inner)))) return line;
    const [inner, outer] = [`\n${"  ".repeat(depth + 1)}`, `\n${"  ".repeat(depth)}`];
    return `${open}${inner}${items.join(`,${inner}`)}${outer}${close}`;
  };
  const deep = (value, left = 40) =>
    value !== null && typeof value === "object" && (left < 0 || Object.values(value).some((one) => deep(one, left - 1)));
  const FENCED = /^\s*(```[\w-]*)[ \t]*\n([^]*?)\n?[ \t]*```\s*$/;
  const tree = (text) => {
    const body = (FENCED.exec(text)?.[2] ?? text).trim();
    if (!/^[{[]/.test(body) || body.length > 2e5) return null;
    try {
      return deep(JSON.parse(body)) ? null : parsed(body);
    } catch {
      return null;
    }
  };
  // JSON in lines, its keys in the order of another's; null where the text is none.
  const laidOut = (text, like = "") => {
    const found = tree(text);
    const other = found && tree(like);
    const shown = found && written(other ? ordered(found, other) : found, 0);
    const fence = shown && FENCED.exec(text);
    return fence ? `${fence[1]}\n${shown}\n\`\`\`` : shown;
  };
  return { against, laidOut };
})();
