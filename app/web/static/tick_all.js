// A button beside a list of boxes ticks all of them, and unticks them when all are ticked.
for (const button of document.querySelectorAll("[data-tick-all]")) {
  const boxes = [...button.closest("fieldset, form").querySelectorAll(`[name="${CSS.escape(button.dataset.tickAll)}"]`)];
  button.hidden = false;
  button.addEventListener("click", () => {
    const all = boxes.every((box) => box.checked);
    for (const box of boxes) box.checked = !all;
  });
}
