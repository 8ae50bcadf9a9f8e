// The form of an offer: fields that follow the product, a grid that takes rows from a spreadsheet.
const form = document.querySelector("[data-offer-form]");

if (form) {
  const fields = document.getElementById("offer-fields");
  const chosen = () => form.elements.kind?.value && form.elements.product?.value;
  form.addEventListener("change", async (event) => {
    if (!["kind", "round_id", "product"].includes(event.target.name) || !chosen()) return;
    const kept = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (!["csrf_token", "action"].includes(name) && !name.startsWith("inputs/") && !name.startsWith("specification/")) {
        kept.append(name, value);
      }
    }
    const answer = await fetch(`${form.dataset.fields}?${kept}`, { headers: { Accept: "text/html" } });
    if (answer.ok) {
      fields.innerHTML = await answer.text();
      watchGrid();
    }
  });
  watchGrid();
}

function watchGrid() {
  for (const grid of document.querySelectorAll("[data-cells]")) {
    grid.addEventListener("paste", pasteRows);
    for (const button of grid.querySelectorAll("[data-fill-right]")) {
      button.addEventListener("click", () => fillRight(inputsOf(button.closest("tr"))));
    }
    grid.addEventListener("keydown", moveAround);
  }
}

function inputsOf(row) {
  return [...row.querySelectorAll("input")];
}

/** Copies the last value before each empty run to its right; a full row takes the first value throughout. */
function fillRight(cells) {
  const first = cells.findIndex((cell) => cell.value.trim());
  if (first < 0) return;
  const gaps = cells.slice(first).some((cell) => !cell.value.trim());
  let value = cells[first].value;
  for (const cell of cells.slice(first)) {
    if (gaps && cell.value.trim()) value = cell.value;
    cell.value = value;
  }
}

function pasteRows(event) {
  const text = event.clipboardData?.getData("text") ?? "";
  if (!/[\t\n]/.test(text.trim())) return;
  const start = event.target.closest("input");
  if (!start) return;
  event.preventDefault();
  let row = start.closest("tr");
  const from = inputsOf(row).indexOf(start);
  for (const line of text.replace(/\r/g, "").replace(/\n+$/, "").split("\n")) {
    if (!row) break;
    const cells = inputsOf(row);
    line.split("\t").forEach((value, at) => {
      if (cells[from + at]) cells[from + at].value = value.trim();
    });
    row = row.nextElementSibling;
  }
}

function moveAround(event) {
  const cell = event.target.closest("input");
  if (!cell) return;
  const cells = inputsOf(cell.closest("tr"));
  const at = cells.indexOf(cell);
  const row = cell.closest("tr");
  const edge = (end) => cell.selectionStart === cell.selectionEnd && cell.selectionStart === (end ? cell.value.length : 0);
  let target = null;
  if (event.key === "ArrowRight" && edge(true)) target = cells[at + 1];
  if (event.key === "ArrowLeft" && edge(false)) target = cells[at - 1];
  if (event.key === "ArrowDown" || event.key === "Enter") target = row.nextElementSibling && inputsOf(row.nextElementSibling)[at];
  if (event.key === "ArrowUp") target = row.previousElementSibling && inputsOf(row.previousElementSibling)[at];
  if (!target) {
    if (event.key === "Enter") event.preventDefault();
    return;
  }
  event.preventDefault();
  target.focus();
  target.select();
}
