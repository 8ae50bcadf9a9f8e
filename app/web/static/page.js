// What every page does: lists of the navigation close when one looks elsewhere, wide tables move by keyboard, too.
const lists = [...document.querySelectorAll(".nav-group > details")];

document.addEventListener("click", (event) => {
  for (const list of lists) if (list.open && !list.parentElement.contains(event.target)) list.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const list of lists.filter((one) => one.open)) {
    list.open = false;
    list.querySelector("summary").focus();
  }
});

// Only what is wider than its place has to be reached, and that depends on the window.
const reach = (place) => {
  if (place.scrollWidth <= place.clientWidth) {
    if (place.dataset.reached) for (const name of ["tabindex", "role", "aria-label", "data-reached"]) place.removeAttribute(name);
  } else if (!place.hasAttribute("tabindex")) {
    const heading = place.closest(".sheet")?.querySelector("h2, h3") ?? document.querySelector("h1");
    place.tabIndex = 0;
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", heading?.textContent.trim() ?? document.title);
    place.dataset.reached = "1";
  }
};
const places = new ResizeObserver((changed) => changed.forEach((one) => reach(one.target)));
for (const place of document.querySelectorAll("main .sheet, main .scroll")) places.observe(place);
