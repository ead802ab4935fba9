"use strict";
// The page can be read without any of this. Storage and the clipboard may be forbidden: then they are done without.
(() => {
  const root = document.documentElement;
  const themes = ["auto", "light", "dark"];
  const byId = (id) => document.getElementById(id);

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
    toast.textContent = text;
    toast.classList.add("seen");
    clearTimeout(tell.waiting);
    tell.waiting = setTimeout(() => {
      toast.classList.remove("seen");
      toast.textContent = "";
    }, 2500);
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

  // One filter per suite. What is chosen stands in the address as #suite?show=failed&tag=x&find=words.
  const filters = new Map();
  const makeFilter = (suite) => {
    const form = suite.querySelector("form.filter");
    const [search, select] = [form.querySelector("[type=search]"), form.querySelector("select")];
    const cases = [...suite.querySelectorAll("details.case")];
    const [none, status] = [suite.querySelector(".none"), suite.querySelector(".tools [role=status]")];
    const texts = new Map();
    const text = (one) => {
      if (!texts.has(one)) texts.set(one, one.textContent.toLowerCase());
      return texts.get(one);
    };
    const tags = (one) => [...one.querySelectorAll(":scope > summary .tag")].map((tag) => tag.textContent);
    let waiting = 0;
    const state = () => form.querySelector("[type=radio]:checked")?.value ?? "";
    const apply = () => {
      const [show, tag, find] = [state(), select?.value ?? "", search.value.trim().toLowerCase()];
      let shown = 0;
      for (const one of cases) {
        one.hidden = !(
          (!show || one.dataset.states.split(" ").includes(show)) &&
          (!tag || tags(one).includes(tag)) &&
          (!find || text(one).includes(find))
        );
        shown += !one.hidden;
      }
      none.hidden = shown > 0;
      status.textContent = shown === cases.length ? "" : `${shown} of ${cases.length} cases shown`;
    };
    const note = () => {
      const chosen = Object.entries({ show: state(), tag: select?.value, find: search.value.trim() });
      const query = new URLSearchParams(chosen.filter(([, value]) => value)).toString();
      try {
        history.replaceState(null, "", `#${suite.id}${query ? `?${query}` : ""}`);
      } catch {
        // Some browsers do not allow it for files.
      }
    };
    const set = (query) => {
      const wanted = [...form.querySelectorAll("[type=radio]")];
      (wanted.find((one) => one.value === (query.get("show") ?? "")) ?? wanted[0]).checked = true;
      if (select) select.value = query.get("tag") ?? "";
      if (select && select.selectedIndex < 0) select.value = "";
      search.value = query.get("find") ?? "";
      apply();
    };
    const changed = () => {
      apply();
      note();
    };
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", changed);
    search.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(changed, 120);
    });
    form.hidden = false;
    filters.set(suite, { set, search, changed });
  };

  const found = (place) => {
    try {
      return byId(place) ?? byId(decodeURIComponent(place));
    } catch {
      return null;
    }
  };
  const follow = () => {
    const [place, ...rest] = location.hash.slice(1).split("?");
    const target = place && found(place);
    if (!target) return;
    if (target.matches(".suite")) {
      filters.get(target).set(new URLSearchParams(rest.join("?")));
      if (rest.length) target.querySelector(".tools").scrollIntoView();
      return;
    }
    if (target.closest("details.case[hidden]")) filters.get(target.closest(".suite")).set(new URLSearchParams());
    for (let one = target; one; one = one.parentElement) if (one.matches("details")) one.open = true;
    document.querySelector(".aimed")?.classList.remove("aimed");
    target.classList.add("aimed");
    (target.querySelector(":scope > summary") ?? target).focus({ preventScroll: true });
    // Once more after the browser has laid out what was not on the screen before.
    target.scrollIntoView();
    requestAnimationFrame(() => target.scrollIntoView());
  };

  let last = null;
  const step = (by) => {
    const all = [...document.querySelectorAll("details.case:not([hidden]) > summary")];
    const at = all.indexOf(last);
    const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)];
    next?.focus();
  };
  const here = () => last?.closest(".suite") ?? document.querySelector(".suite");
  const leave = (target) => {
    const filter = [...filters.values()].find((one) => one.search === target);
    if (filter) {
      filter.search.value = "";
      filter.changed();
      filter.search.blur();
      return;
    }
    const open = target.closest?.("details.case[open]");
    if (open) {
      open.open = false;
      open.querySelector(":scope > summary").focus();
    }
  };
  const keys = {
    j: () => step(1),
    k: () => step(-1),
    "/": () => filters.get(here())?.search.focus(),
    d: () => here()?.querySelector(".words")?.click(),
    "?": () => byId("page:keys").showModal(),
  };
  const press = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("page:keys").open) return;
    const target = event.target;
    if (event.key === "Escape") return leave(target);
    if (target.matches("input:not([type=radio], [type=checkbox]), select, textarea")) return;
    const arrow = target.matches("details.case > summary") && { ArrowDown: "j", ArrowUp: "k" }[event.key];
    const act = keys[arrow || event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };

  const copy = (event) => {
    const link = event.target.closest?.("a.link");
    if (!link) return;
    const refused = () => tell("The link is in the address bar");
    if (navigator.clipboard) navigator.clipboard.writeText(link.href).then(() => tell("Link copied"), refused);
    else refused();
  };

  addEventListener("DOMContentLoaded", () => {
    themeButton();
    document.querySelectorAll(".suite").forEach(makeFilter);
    const dialog = byId("page:keys");
    byId("page:help").addEventListener("click", () => dialog.showModal());
    byId("page:close").addEventListener("click", () => dialog.close());
    document.querySelector(".buttons").hidden = false;
    document.addEventListener("focusin", (event) => {
      last = event.target.closest("details.case")?.querySelector(":scope > summary") ?? last;
    });
    document.addEventListener("keydown", press);
    document.addEventListener("click", copy);
    addEventListener("hashchange", follow);
    follow();
  });
})();
