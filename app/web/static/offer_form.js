// The form of an offer: fields that follow kind, round and product; a grid of periods; a check while it is written.
import { watchGrid } from "./cells.js";
import { checkWhileTyped } from "./offer_check.js";

const SUBJECT = ["kind", "round_id", "product"];
const form = document.querySelector("[data-offer-form]");

if (form) {
  const fields = document.getElementById("offer-fields");
  const checkSoon = checkWhileTyped(form);
  watchFields(form);
  form.addEventListener("change", async (event) => {
    if (!SUBJECT.includes(event.target.name) || !form.elements.kind?.value || !form.elements.product?.value) return;
    const kept = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      // Another product has other attributes and inputs; everything else stays as it was typed.
      const ofProduct = /^(inputs|specification)\//.test(name) && event.target.name === "product";
      if (!["csrf_token", "action"].includes(name) && !ofProduct) kept.append(name, value);
    }
    const answer = await fetch(`${form.dataset.fields}?${kept}`, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    fields.innerHTML = await answer.text();
    watchFields(form);
    checkSoon();
  });
  if (form.elements.price_by) checkSoon();
}

function watchFields(within) {
  for (const grid of within.querySelectorAll("[data-cells]")) {
    watchGrid(grid, (names) => {
      // Prices that come with the quantities are meant: the row for them opens.
      const own = within.querySelector("[name=price_by][value=period]");
      if (own && names.some((name) => /^periods\/.*\/price$/.test(name))) own.checked = true;
      within.dispatchEvent(new CustomEvent("filled", { detail: names }));
    });
  }
}
