"use strict";
{
  const form = document.querySelector("form.controls");
  for (const select of form?.querySelectorAll("select") ?? []) {
    select.addEventListener("change", () => form.requestSubmit());
  }
  // What is left at its default does not stand in the address.
  form?.addEventListener("submit", () => {
    for (const field of form.elements) field.disabled = field.tagName !== "BUTTON" && !field.value;
  });
  addEventListener("pageshow", () => {
    for (const field of form?.elements ?? []) field.disabled = false;
  });

  const go = (rel) => document.querySelector(`a[rel=${rel}]`)?.click();
  const cards = [...document.querySelectorAll("article a.open")];
  const step = (by) => {
    if (!cards.length) {
      go(by > 0 ? "next" : "prev");
      return;
    }
    const at = cards.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : cards.length - 1) : at + by;
    if (next < 0 || next >= cards.length) {
      go(by > 0 ? "next" : "prev");
      return;
    }
    cards[next].focus({ preventScroll: true });
    cards[next].closest("article").scrollIntoView({ block: "center" });
  };
  addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, textarea, .scroll") || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "ArrowRight") go("next");
    else if (event.key === "ArrowLeft") go("prev");
    else if (event.key === "Escape" || event.key === "u") go("up");
    else return;
    event.preventDefault();
  });
}
