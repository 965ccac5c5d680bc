// A suggestion taken: the triage form names the earlier message, and the coordinator confirms by sending it.
"use strict";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-repeat-of]");
  const field = document.querySelector('form[data-command="triage"] [name="repeat_of"]');
  if (!button || !field) return;
  field.value = button.dataset.repeatOf;
  for (let around = field.closest("details"); around; around = around.parentElement.closest("details")) around.open = true;
  for (const other of document.querySelectorAll("[data-repeat-of]")) other.setAttribute("aria-pressed", String(other === button));
  field.dispatchEvent(new Event("change", { bubbles: true }));
  field.scrollIntoView({ block: "center" });
  field.form.querySelector("button").focus();
});
