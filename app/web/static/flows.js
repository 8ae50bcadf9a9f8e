// Draws the flows of a run when they come into sight; the drawing library is large and loaded only then.
const place = document.getElementById("flows");
const figure = JSON.parse(document.getElementById("flows-figure").textContent);

/** The library puts style elements into the page; they get the nonce, or the browser would refuse them. */
function withNonce(work) {
  const make = document.createElement;
  const nonce = document.getElementById("plotly.js-style-global").nonce;
  document.createElement = function createElement(name, ...rest) {
    const element = make.call(document, name, ...rest);
    if (String(name).toLowerCase() === "style") element.nonce = nonce;
    return element;
  };
  return work().finally(() => {
    document.createElement = make;
  });
}

function load() {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = place.dataset.library;
    script.onload = resolve;
    script.onerror = reject;
    document.head.append(script);
  });
}

function draw() {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim();
  const node = style.getPropertyValue("--line-strong").trim();
  const trace = {
    type: "sankey",
    arrangement: "snap",
    node: { label: figure.nodes, pad: 9, thickness: 12, color: node, line: { width: 0 }, hovertemplate: "%{label}<extra></extra>" },
    link: {
      source: figure.links.map((link) => link.source),
      target: figure.links.map((link) => link.target),
      value: figure.links.map((link) => link.value),
      color: figure.links.map((link) => link.color),
      label: figure.links.map((link) => link.label),
      hovertemplate: "%{source.label} → %{target.label}<br>%{label}<extra></extra>",
    },
  };
  const layout = {
    height: figure.height,
    margin: { l: 4, r: 4, t: 8, b: 8 },
    paper_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 11.5, color: ink },
  };
  window.Plotly.newPlot(place, [trace], layout, { displayModeBar: false, responsive: true });
}

const watcher = new IntersectionObserver(async (entries) => {
  if (!entries.some((entry) => entry.isIntersecting)) return;
  watcher.disconnect();
  await withNonce(load);
  draw();
}, { rootMargin: "400px" });
watcher.observe(place);
