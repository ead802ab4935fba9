"use strict";
for (const list of document.querySelectorAll(".cases")) {
  const form = list.previousElementSibling;
  const search = form.querySelector("input[type=search]");
  const cases = [...list.querySelectorAll("details.case")];
  const none = list.querySelector(".none");
  let waiting = 0;
  const filter = () => {
    const state = form.querySelector("input:checked").value;
    const text = search.value.trim().toLowerCase();
    let shown = 0;
    for (const one of cases) {
      const fits =
        (!state || one.dataset.states.split(" ").includes(state)) &&
        (!text || one.textContent.toLowerCase().includes(text));
      one.hidden = !fits;
      shown += fits;
    }
    none.hidden = shown > 0;
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", filter);
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  });
  form.hidden = false;
  filter();
}
const open = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.matches("details.case")) {
    target.open = true;
    target.scrollIntoView();
  }
};
addEventListener("hashchange", open);
open();
