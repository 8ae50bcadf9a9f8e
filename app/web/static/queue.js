// The reviewers' queue by keyboard: j and k move, x ticks, o or Enter opens, r and w lead to a decision, ? tells all.
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

  // A key alone decides nothing: it ticks the row at hand and leads to the button, or to the reason it needs.
  const decide = (action) => {
    if (!bulk) return;
    const tick = rows[at] && tickOf(rows[at]);
    if (!queue.querySelector('input[name="chosen"]:checked') && tick) tick.checked = true;
    recount();
    if (bulk.hidden) return;
    const reason = bulk.querySelector(`select[name="reason_${action}"]`);
    const button = bulk.querySelector(`button[value="${action}"]`);
    (reason?.value ? button : reason)?.focus();
  };

  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input:not([type=checkbox]), select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "j") move(at + 1);
    else if (event.key === "k") move(at - 1);
    else if (event.key === "x" && rows[at]) {
      const tick = tickOf(rows[at]);
      if (tick) tick.checked = !tick.checked;
      recount();
    } else if (event.key === "r") decide("release");
    else if (event.key === "w") decide("withhold");
    else if ((event.key === "o" || (event.key === "Enter" && event.target === document.body)) && rows[at]) {
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

// The help stands outside of the list: an empty queue has it, too.
const help = document.querySelector("[data-keys-help]");

document.addEventListener("keydown", (event) => {
  if (event.key !== "?" || !help || help.open || event.target.closest("input:not([type=checkbox]), select, textarea")) return;
  event.preventDefault();
  help.showModal();
});
