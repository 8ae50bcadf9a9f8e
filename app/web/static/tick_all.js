// A button beside a list of boxes ticks all of them, and unticks them when all are ticked.
for (const button of document.querySelectorAll("[data-tick-all]")) {
  const boxes = [...button.closest("fieldset, form").querySelectorAll(`[name="${CSS.escape(button.dataset.tickAll)}"]`)];
  button.hidden = false;
  button.addEventListener("click", () => {
    const all = boxes.every((box) => box.checked);
    for (const box of boxes) box.checked = !all;
  });
}

// A box above a group stands for all of it: it ticks them all, and shows when all or only some are ticked.
for (const group of document.querySelectorAll("[data-tick-group]")) {
  const [whole, ...boxes] = group.querySelectorAll("input[type=checkbox]");
  const show = () => {
    const count = boxes.filter((box) => box.checked).length;
    whole.checked = count === boxes.length;
    whole.indeterminate = count > 0 && count < boxes.length;
  };
  whole.addEventListener("change", () => {
    for (const box of boxes) box.checked = whole.checked;
  });
  for (const box of boxes) box.addEventListener("change", show);
  show();
}
