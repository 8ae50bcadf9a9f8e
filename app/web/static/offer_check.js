// The form of an offer is checked at the server while it is being written. A field that nobody has touched is not
// called wrong: it stands in the list of what is still needed. What was typed is never changed.
const PAUSE = 350; // after the last key

export function checkWhileTyped(form) {
  const touched = new Set();
  let timer = null;
  let asked = null;

  const check = async () => {
    window.clearTimeout(timer);
    asked?.abort();
    asked = new AbortController();
    try {
      const answer = await fetch(form.dataset.check, { method: "POST", body: new FormData(form), signal: asked.signal });
      if (answer.ok) show(form, touched, await answer.json());
    } catch {
      // Without an answer nothing is said; posting checks everything again.
    }
  };
  const soon = () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(check, PAUSE);
  };
  form.addEventListener("input", (event) => {
    touched.add(event.target.name);
    soon();
  });
  form.addEventListener("change", (event) => {
    touched.add(event.target.name);
    soon();
  });
  form.addEventListener("filled", (event) => {
    for (const name of event.detail) touched.add(name);
    soon();
  });
  return soon;
}

function show(form, touched, { errors, preview }) {
  const seen = (name) => touched.has(name) || (!field(form, name) && [...touched].some(inGrid));
  for (const old of form.querySelectorAll(".error")) old.remove();
  for (const old of form.querySelectorAll("[aria-invalid]")) {
    old.removeAttribute("aria-invalid");
    old.removeAttribute("aria-describedby");
  }
  const open = [];
  const wrong = [];
  const place = (name) => [...form.elements].indexOf(field(form, name)); // of the whole grid: before all
  for (const [name, text] of Object.entries(errors).sort(([a], [b]) => place(a) - place(b))) {
    if (seen(name)) tell(form, name, text, wrong);
    else open.push(labelOf(form, name));
  }
  const box = form.querySelector("[data-preview]");
  if (!box) return;
  if (preview) {
    box.innerHTML = preview;
    return;
  }
  box.replaceChildren(...lines(box.dataset.wrong, wrong), ...lines(box.dataset.needed, open));
}

function inGrid(name) {
  return name.startsWith("periods/");
}

function field(form, name) {
  return form.querySelector(`[name="${CSS.escape(name)}"]`);
}

function labelOf(form, name) {
  const at = field(form, name);
  if (!at) return form.querySelector("[data-cells] th[scope=row]")?.textContent ?? "";
  return at.labels?.[0]?.textContent.trim() || at.getAttribute("aria-label") || "";
}

function tell(form, name, text, wrong) {
  const at = field(form, name);
  const line = document.createElement("p");
  line.className = "error";
  line.id = `error-${name}`;
  const gathered = at ? at.closest("fieldset")?.querySelector("[data-errors]") : form.querySelector("[data-errors]");
  const own = at?.closest(".field");
  line.textContent = own || !at ? text : `${labelOf(form, name)}: ${text}`;
  (own ?? gathered ?? form).append(line);
  if (at) {
    at.setAttribute("aria-invalid", "true");
    at.setAttribute("aria-describedby", line.id);
  }
  wrong.push(labelOf(form, name));
}

function lines(title, names) {
  const told = [...new Set(names)].filter(Boolean);
  if (!told.length) return [];
  const line = document.createElement("p");
  line.className = "note";
  line.textContent = `${title} ${told.join(" · ")}`;
  return [line];
}
