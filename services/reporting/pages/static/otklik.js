// What every page does by itself: time left counts down, lists refresh, keys move about. Forms have a file of their own.
"use strict";

// The installation's clock, not this machine's: a wrong one here must not show a wrong time left. A simulated clock stands
// still between its steps.
const shownAt = Date.now();
const told = document.body.dataset.now ? Date.parse(document.body.dataset.now) : shownAt;
const present = () => ("still" in document.body.dataset ? told : told + Date.now() - shownAt);

function lasting(seconds) {
  const total = Math.floor(Math.abs(seconds));
  const days = Math.floor(total / 86400), hours = Math.floor(total / 3600) % 24, minutes = Math.floor(total / 60) % 60;
  if (days) return `${days} сут ${hours} ч`;
  if (hours) return `${hours} ч ${String(minutes).padStart(2, "0")} мин`;
  return minutes ? `${minutes} мин ${String(total % 60).padStart(2, "0")} с` : `${total} с`;
}

function countDown() {
  const now = present();
  for (const place of document.querySelectorAll("[data-due]")) {
    const left = (Date.parse(place.dataset.due) - now) / 1000;
    // A breach is the log's word, not this clock's: until it comes, the time is only over.
    place.textContent = left >= 0 ? lasting(left) : `−${lasting(left)}`;
    place.classList.toggle("late", left < 0);
    place.classList.toggle("soon", left >= 0 && left < 1800);
  }
}

async function fresh() {
  const answer = await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
  if (!answer || !answer.ok || answer.redirected) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

async function refresh() {
  // A list refreshes while nobody is at work in it; a message that is being worked on only tells that it has changed.
  const live = document.querySelectorAll("[data-live]"), message = document.querySelector("[data-standing]");
  if (document.hidden || (!live.length && !message) || (live.length && document.activeElement?.closest("form"))) return;
  const page = await fresh();
  if (!page) return;
  if (message) {
    document.getElementById("moved").hidden = page.querySelector("[data-standing]")?.dataset.standing === message.dataset.standing;
    return;
  }
  const kept = document.activeElement?.closest("[data-row] a")?.getAttribute("href");
  for (const part of live) {
    const next = page.querySelector(`[data-live="${part.dataset.live}"]`);
    if (next) part.replaceChildren(...next.childNodes);
  }
  if (kept) document.querySelector(`[data-row] a[href="${kept}"]`)?.focus();
  countDown();
}

// --- keys and small help ------------------------------------------------------------------------------------------------

let going = false;

// By the place of the key and not by its letter: the same keys serve in the Russian layout.
const letter = (event) => (event.code.startsWith("Key") ? event.code.slice(3).toLowerCase() : "");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
  const rows = [...document.querySelectorAll("[data-row] a")], at = rows.indexOf(document.activeElement);
  const key = letter(event);
  if (going) {
    going = false;
    document.querySelector(`[data-go="${key}"]`)?.click();
  } else if (event.key === "?") {
    document.getElementById("keys")?.showModal();
  } else if (event.key === "/" || event.code === "Slash") {
    document.querySelector("[data-search]")?.focus();
  } else if (/^[1-9]$/.test(event.key)) {
    openForm(event.key);
  } else if (key === "g") {
    going = true;
    setTimeout(() => { going = false; }, 1500);
  } else if (key === "j" || key === "k") {
    rows[Math.min(Math.max(at + (key === "j" ? 1 : -1), 0), rows.length - 1)]?.focus();
  } else if (key === "u" || key === "n") {
    document.querySelector(key === "u" ? "[data-back]" : "[data-next]")?.click();
  } else return;
  event.preventDefault();
});

function openForm(number) {
  const place = document.querySelector(`[data-form="${number}"]`);
  if (!place) return;
  place.open = true;
  place.querySelector("input:not([type=hidden]), select, textarea, button.main, button.bad").focus();
  place.scrollIntoView({ block: "nearest" });
}

const help = document.querySelector("[data-help]");
if (help) {
  help.hidden = false;
  help.addEventListener("click", () => document.getElementById("keys").showModal());
}
// What was typed and not sent is for who typed it.
document.querySelector("[data-logout]")?.addEventListener("submit", () => sessionStorage.clear());

document.addEventListener("focusin", (event) => {
  for (const row of document.querySelectorAll("tr.at")) row.classList.remove("at");
  event.target.closest("tr[data-row]")?.classList.add("at");
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  if (event.target.closest("[data-login]")) login();
});

function login() {
  const form = document.querySelector("[data-login]");
  if (!form) return;
  const executor = form.role.value === "executor";
  form.querySelector("[data-for-executor]").hidden = !executor;
  for (const option of form.agency.options) {
    option.hidden = Boolean(option.dataset.authority) && option.dataset.authority !== form.authority.value;
  }
  const chosen = form.agency.selectedOptions[0];
  if (executor && (!chosen || !chosen.value || chosen.hidden)) {
    form.agency.value = [...form.agency.options].find((option) => option.value && !option.hidden)?.value || "";
  }
  if (!executor) form.agency.value = "";
}

login();
countDown();
setInterval(countDown, 1000);
setInterval(refresh, 15000);
