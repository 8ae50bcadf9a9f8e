// Follows runs while they work, also after a break of the connection; when one has ended the page is read anew.
const PACE = 1000;
const REST = 5000; // while nobody looks, or nobody answers

async function look(box) {
  const answer = await fetch(box.dataset.progress, { headers: { Accept: "application/json" } });
  if (!answer.ok) return REST;
  const run = await answer.json();
  if (!run.is_open) {
    window.location.reload();
    return null;
  }
  const write = (part, text) => {
    const place = box.querySelector(`[data-${part}]`);
    if (place) place.textContent = text;
  };
  box.querySelector("progress").value = run.percent;
  write("phase", run.phase || run.label);
  write("percent", run.percent);
  write("rounds", run.rounds);
  write("left", run.left ? ` · ${run.left}` : "");
  return document.hidden ? REST : PACE;
}

async function follow(box) {
  const wait = await look(box).catch(() => REST);
  if (wait) window.setTimeout(follow, wait, box);
}

for (const box of document.querySelectorAll("[data-progress]")) window.setTimeout(follow, PACE, box);
