// How things are shown: elements made of text alone, numbers as every report writes them.
Object.assign(harness, (() => {
  // element("p.quiet", "text", child): texts of others only ever become text nodes.
  const element = (what, ...children) => {
    const [tag, ...classes] = what.split(".");
    const made = document.createElement(tag);
    if (classes.length) made.className = classes.join(" ");
    made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
  };
  const button = (label, act, title) => {
    const made = element("button", label);
    made.type = "button";
    if (title) {
      made.setAttribute("aria-label", title);
      made.title = title;
    }
    made.addEventListener("click", act);
    return made;
  };

  const MARKS = { passed: "✓", failed: "✗", error: "!", skipped: "–", unscored: "?" };
  const mark = (outcome) => {
    const made = element(`span.mark.${outcome}`, MARKS[outcome]);
    made.setAttribute("aria-hidden", "true");
    made.title = outcome;
    return made;
  };
  const hear = (text) => element("span.hear", text);

  const seconds = (thousandths) => {
    if (thousandths === null || thousandths === undefined) return "";
    if (thousandths < 999.5) return `${Math.round(thousandths)}ms`;
    return thousandths < 9995 ? `${(thousandths / 1000).toFixed(2)}s` : `${(thousandths / 1000).toFixed(1)}s`;
  };
  const money = (amount) => {
    if (amount === null || amount === undefined) return "";
    if (amount === 0) return "$0";
    const places = amount >= 1 ? 2 : 2 - Math.floor(Math.log10(amount));
    return `$${amount.toFixed(Math.min(places, 20))}`;
  };
  const whole = (number) => number.toLocaleString("en-GB");
  const count = (number, noun) => `${whole(number)} ${noun}${number === 1 ? "" : "s"}`;

  const replace = (place) => {
    try {
      history.replaceState(null, "", `#${place}`);
    } catch {
      // Some browsers do not allow it for files: then the address stays behind.
    }
  };
  return { element, button, mark, hear, seconds, money, whole, count, replace };
})());
