// A grid of cells that takes rows from a spreadsheet, fills to the right, and is walked by the arrow keys.

/** Calls `told` with the names of cells that were filled other than by typing. */
export function watchGrid(grid, told) {
  grid.addEventListener("paste", (event) => pasteRows(event, told));
  for (const button of grid.querySelectorAll("[data-fill-right]")) {
    button.addEventListener("click", () => told(fillRight(inputsOf(button.closest("tr")))));
  }
  grid.addEventListener("keydown", moveAround);
}

function inputsOf(row) {
  return [...row.querySelectorAll("input")];
}

/** Copies the last value before each empty run to its right; a full row takes the first value throughout. */
function fillRight(cells) {
  const first = cells.findIndex((cell) => cell.value.trim());
  if (first < 0) return [];
  const gaps = cells.slice(first).some((cell) => !cell.value.trim());
  let value = cells[first].value;
  for (const cell of cells.slice(first)) {
    if (gaps && cell.value.trim()) value = cell.value;
    cell.value = value;
  }
  return cells.map((cell) => cell.name);
}

function pasteRows(event, told) {
  const text = event.clipboardData?.getData("text") ?? "";
  const start = event.target.closest("input");
  if (!start || !/[\t\n]/.test(text.trim())) return;
  event.preventDefault();
  const filled = [];
  let row = start.closest("tr");
  const from = inputsOf(row).indexOf(start);
  for (const line of text.replace(/\r/g, "").replace(/\n+$/, "").split("\n")) {
    if (!row) break;
    const cells = inputsOf(row);
    line.split("\t").forEach((value, at) => {
      const cell = cells[from + at];
      if (!cell) return;
      cell.value = value.trim();
      filled.push(cell.name);
    });
    row = row.nextElementSibling;
  }
  told(filled);
}

function moveAround(event) {
  const cell = event.target.closest("input");
  if (!cell) return;
  const row = cell.closest("tr");
  const cells = inputsOf(row);
  const at = cells.indexOf(cell);
  const edge = (end) => cell.selectionStart === cell.selectionEnd && cell.selectionStart === (end ? cell.value.length : 0);
  let target = null;
  if (event.key === "ArrowRight" && edge(true)) target = cells[at + 1];
  if (event.key === "ArrowLeft" && edge(false)) target = cells[at - 1];
  if (event.key === "ArrowDown" || event.key === "Enter") target = row.nextElementSibling && inputsOf(row.nextElementSibling)[at];
  if (event.key === "ArrowUp") target = row.previousElementSibling && inputsOf(row.previousElementSibling)[at];
  if (!target?.checkVisibility()) {
    if (event.key === "Enter") event.preventDefault();
    return;
  }
  event.preventDefault();
  target.focus();
  target.select();
}
