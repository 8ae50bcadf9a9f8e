// Follows a run while it works; when it has ended the page is read anew.
const box = document.querySelector("[data-progress]");

async function follow() {
  const answer = await fetch(box.dataset.progress, { headers: { Accept: "application/json" } });
  if (answer.ok) {
    const run = await answer.json();
    if (!run.is_open) {
      window.location.reload();
      return;
    }
    box.querySelector("progress").value = run.percent;
    box.querySelector("[data-phase]").textContent = run.phase || run.label;
    box.querySelector("[data-percent]").textContent = run.percent;
    box.querySelector("[data-rounds]").textContent = run.rounds;
  }
  window.setTimeout(follow, document.hidden ? 5000 : 1000);
}

if (box) window.setTimeout(follow, 1000);
