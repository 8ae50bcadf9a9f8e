// The reviewers' queue by keyboard: j and k move, x ticks, o or Enter opens.
const queue = document.querySelector("[data-queue]");

if (queue) {
  const rows = [...queue.querySelectorAll("[data-row]")];
  const all = queue.querySelector("[data-all]");
  const count = queue.querySelector("[data-count]");
  const bulk = queue.querySelector("[data-bulk]");
  let at = -1;

  const tickOf = (row) => row.querySelector('input[name="chosen"]:not(:disabled)');
  const recount = () => {
    const ticked = queue.querySelectorAll('input[name="chosen"]:checked').length;
    if (count) count.textContent = ticked;
    if (bulk) bulk.hidden = ticked === 0;
  };
  const move = (to) => {
    if (!rows.length) return;
    rows[at]?.classList.remove("at");
    at = Math.max(0, Math.min(rows.length - 1, to));
    rows[at].classList.add("at");
    rows[at].scrollIntoView({ block: "nearest" });
  };

  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input:not([type=checkbox]), select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "j") move(at + 1);
    else if (event.key === "k") move(at - 1);
    else if (event.key === "x" && rows[at]) {
      const tick = tickOf(rows[at]);
      if (tick) tick.checked = !tick.checked;
      recount();
    } else if ((event.key === "o" || (event.key === "Enter" && event.target === document.body)) && rows[at]) {
      rows[at].querySelector("[data-open]").click();
    } else return;
    event.preventDefault();
  });
  all?.addEventListener("change", () => {
    for (const row of rows) if (tickOf(row)) tickOf(row).checked = all.checked;
    recount();
  });
  queue.addEventListener("change", recount);
  recount();
}
