"use strict";
// What the page carries packed is unpacked here, when it is first needed. Other scripts of the page use `harness`.
const harness = (() => {
  const able = typeof DecompressionStream === "function";

  const once = (make) => {
    let made;
    return () => (made ??= make());
  };

  // The text behind <script type="application/json" id="page:packed:...">: JSON of base64 of gzip.
  const unpack = async (name) => {
    const packed = JSON.parse(document.getElementById(`page:packed:${name}`).textContent);
    const bytes = Uint8Array.fromBase64?.(packed) ?? Uint8Array.from(atob(packed), (one) => one.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };

  // The page's policy knows the hash of each library: any other text would not run.
  const run = async (name) => {
    const script = document.createElement("script");
    script.textContent = await unpack(name);
    document.head.append(script);
    script.remove();
  };

  // A library's style comes first in the cascade, so that the page's own holds.
  const dress = async (name) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`@layer carried { ${await unpack(name)} }`);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  };

  // Plot, drawing every figure with the one class name that the page's policy knows the style of.
  const plot = once(async () => {
    await run("d3.js");
    await run("plot.js");
    const { Plot } = window;
    return { ...Plot, plot: (options) => Plot.plot({ ...options, className: "plotted" }) };
  });

  const tabulator = once(async () => {
    await Promise.all([dress("tabulator.css"), run("tabulator.js")]);
    return window.Tabulator;
  });

  const data = async (name) => JSON.parse(await unpack(name));

  // Call `act` once `element` comes near the window, or the page is about to be printed where `printed`.
  const seen = (element, act, { printed = false } = {}) => {
    const watcher = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        watcher.disconnect();
        act();
      },
      { rootMargin: "600px" },
    );
    watcher.observe(element);
    if (printed) addEventListener("beforeprint", () => (watcher.disconnect(), act()), { once: true });
  };

  return { able, data, plot, tabulator, seen };
})();
