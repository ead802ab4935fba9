// What holds the page together: colours, keys, and where an address leads.
(() => {
  const root = document.documentElement;
  const themes = ["auto", "light", "dark"];
  const byId = (id) => document.getElementById(id);
  if (harness.able) root.classList.add("able");

  // Storage and the clipboard may be forbidden: then they are done without.
  const remembered = () => {
    try {
      const found = localStorage.getItem("harness-theme");
      return themes.includes(found) ? found : "auto";
    } catch {
      return "auto";
    }
  };
  const dress = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };
  dress(remembered());

  const tell = (text) => {
    const toast = document.querySelector(".toast");
    // A modal dialog covers everything that is not inside it.
    (document.querySelector("dialog[open]") ?? document.body).append(toast);
    toast.textContent = text;
    toast.classList.add("seen");
    clearTimeout(tell.waiting);
    tell.waiting = setTimeout(() => {
      toast.classList.remove("seen");
      toast.textContent = "";
    }, 2500);
  };
  harness.copy = (link) => {
    const refused = () => tell("The link is in the address bar");
    if (navigator.clipboard) navigator.clipboard.writeText(link).then(() => tell("Link copied"), refused);
    else refused();
  };

  const themeButton = () => {
    const button = byId("page:theme");
    let theme = remembered();
    const show = () => {
      button.textContent = theme;
      button.setAttribute("aria-label", `Colours: ${theme}`);
    };
    button.addEventListener("click", () => {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      dress(theme);
      show();
      try {
        localStorage.setItem("harness-theme", theme);
      } catch {
        // It holds until the page is left.
      }
    });
    show();
  };

  const { tables, drawer } = harness;
  const readable = (place) => {
    try {
      return decodeURIComponent(place);
    } catch {
      return place;
    }
  };
  // A case, or one of its trials: suite/case or suite/case/variant/repeat.
  const resolved = async (place) => {
    const section = tables.of(place.split("/", 1)[0]);
    if (!section) return null;
    const suite = await harness.suites.get(section.dataset.suite);
    if (suite.places.has(place)) return { section, suite, one: suite.places.get(place) };
    const [, start, variant, repeat] = /^(.*)\/([^/]+)\/(\d+)$/.exec(place) ?? [];
    const one = suite.places.get(start);
    return one ? { section, suite, one, variant, repeat: Number(repeat) } : null;
  };
  const follow = async () => {
    const [place, ...rest] = location.hash.slice(1).split("?");
    const section = tables.of(place) ?? tables.of(readable(place));
    if (section && harness.able) {
      drawer.shut();
      if (!rest.length) return;
      (await tables.get(section)).set(new URLSearchParams(rest.join("?")));
      section.scrollIntoView();
      return;
    }
    const target = byId(place) ?? byId(readable(place));
    if (target) {
      for (let one = target; one; one = one.parentElement) if (one.matches("details")) one.open = true;
      target.scrollIntoView();
      return;
    }
    const found = place && harness.able && ((await resolved(place)) ?? (await resolved(readable(place))));
    if (!found) return;
    const table = await tables.ready(found.section);
    const closed = (one) => {
      harness.replace(table ? table.address() : found.suite.anchor);
      table?.focus(one.number);
    };
    drawer.show({ ...found, cases: table ? table.rows() : found.suite.cases, closed });
  };

  // The table that keys are meant for: the one last used, else the first.
  let last = null;
  const here = async () => {
    const section = last ?? tables.sections()[0];
    return section && harness.able ? tables.get(section) : null;
  };
  const keys = {
    j: async () => (await here())?.step(1),
    k: async () => (await here())?.step(-1),
    Enter: async () => (await here())?.enter(),
    "/": async () => {
      const table = await here();
      table?.section.scrollIntoView();
      table?.search.focus();
    },
    "?": () => byId("page:keys").showModal(),
  };
  const press = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const { target } = event;
    const inside = target.closest?.("section.cases");
    if (event.key === "Escape" && inside && harness.able) {
      tables.get(inside).then((table) => table.clear());
      target.blur();
      return;
    }
    if (target.matches("input:not([type=radio], [type=checkbox]), select, textarea")) return;
    if (event.key === "Enter" && target.matches("a, button, summary")) return;
    const arrow = target.closest?.(".tabulator") && { ArrowDown: "j", ArrowUp: "k" }[event.key];
    const act = keys[arrow || event.key];
    if (!act || (event.key === "Enter" && !inside)) return;
    event.preventDefault();
    act();
  };

  addEventListener("DOMContentLoaded", () => {
    themeButton();
    const dialog = byId("page:keys");
    byId("page:help").addEventListener("click", () => dialog.showModal());
    byId("page:close").addEventListener("click", () => dialog.close());
    document.querySelector(".buttons").hidden = false;
    document.addEventListener("focusin", (event) => {
      last = event.target.closest?.("section.cases") ?? last;
    });
    document.addEventListener("keydown", press);
    document.addEventListener("click", (event) => {
      const link = event.target.closest?.("a.link");
      if (link) harness.copy(link.href);
    });
    for (const section of tables.sections()) if (harness.able) harness.seen(section, () => tables.get(section));
    addEventListener("hashchange", follow);
    follow();
  });
})();
