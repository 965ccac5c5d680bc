// What the pages do by themselves: time left counts down, lists refresh, forms become commands, keys move about.
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

async function refresh() {
  // A list refreshes while nobody is at work in it; a form that is being filled in is never touched.
  const live = document.querySelectorAll("[data-live]");
  if (!live.length || document.hidden || document.activeElement?.closest("form")) return;
  const answer = await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
  if (!answer || !answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const kept = document.activeElement?.closest("[data-row] a")?.getAttribute("href");
  for (const part of live) {
    const next = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (next) part.replaceChildren(...next.childNodes);
  }
  if (kept) document.querySelector(`[data-row] a[href="${kept}"]`)?.focus();
  countDown();
}

// --- commands ---------------------------------------------------------------------------------------------------------

function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function valueOf(field) {
  const text = field.value.trim();
  if (text === "") return undefined;
  switch (field.dataset.kind) {
    case "list": return text.split(",").map((part) => part.trim()).filter(Boolean);
    case "bool": return text === "true";
    case "number": return Number(text);
    default: return text;
  }
}

function routeOf(part) {
  const chosen = [...part.querySelectorAll("[data-agency]")].filter((row) => row.querySelector("[data-part=chosen]").checked);
  const led = chosen.some((row) => row.querySelector("[data-part=lead]").checked);
  return chosen.map((row) => {
    const one = { agency: row.dataset.agency };
    const order = row.querySelector("[data-part=order]").value;
    if (led) one.role = row.querySelector("[data-part=lead]").checked ? "lead" : "contributor";
    if (order) one.order = Number(order);
    return one;
  });
}

function dataOf(form) {
  const data = {};
  for (const field of form.querySelectorAll("[name][data-kind]")) {
    const value = valueOf(field);
    if (value !== undefined) data[field.name] = value;
  }
  for (const part of form.querySelectorAll("[data-route]")) data[part.dataset.route] = routeOf(part);
  return data;
}

function tell(text) {
  const place = document.getElementById("problem");
  place.textContent = text;
  place.hidden = !text;
  if (text) { place.scrollIntoView({ block: "nearest" }); place.focus(); }
}

function wordsOf(problem, form) {
  const where = problem.paragraph ? ` (пункт ${problem.paragraph})` : "";
  const faults = (problem.errors || []).map((fault) => {
    // A fault points into the command's JSON; a person knows the field by its label.
    const name = fault.pointer.split("/")[2];
    const field = [...form.elements].find((one) => one.name && one.name === name);
    return `${field?.closest("label")?.firstChild.textContent.trim() || fault.pointer}: ${fault.detail}`;
  });
  return [`${problem.detail || problem.title || "Не вышло"}${where}`, ...faults].join("\n");
}

const meta = (name) => document.querySelector(`meta[name="otklik-${name}"]`)?.content;

async function send(form) {
  // One id until the answer is known: a second press, or one after a lost answer, is the same command.
  const body = { type: form.dataset.command, data: dataOf(form), expected_sequence: Number(form.dataset.sequence) };
  const written = JSON.stringify(body);
  if (form.dataset.written !== written) { form.dataset.written = written; form.dataset.key = uuid(); }
  const workflow = `${location.protocol}//${location.hostname}:${meta("workflow")}`;
  const answer = await fetch(`${workflow}/v1/messages/${form.dataset.message}/commands`, {
    method: "POST",
    headers: { "Authorization": `Bearer ${meta("token")}`, "Content-Type": "application/json", "Idempotency-Key": form.dataset.key },
    body: written,
  });
  const told = await answer.json().catch(() => ({ title: `Ответ ${answer.status}` }));
  if (answer.ok) return told;
  if (answer.status === 401) { location.href = `/login?back=${encodeURIComponent(location.pathname)}`; }
  // A refusal is an outcome of its own: what is sent after it is another command.
  if (answer.status < 500) delete form.dataset.written;
  throw new Error(wordsOf(told, form));
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-command]");
  if (!form) return;
  event.preventDefault();
  const button = form.querySelector("button");
  if (button.disabled) return;
  button.disabled = true;
  tell("");
  try {
    const accepted = await send(form);
    location.href = `${location.pathname}?at_least=${accepted.sequence}`;
  } catch (error) {
    tell(error instanceof TypeError ? "Служба workflow не отвечает: команда не потеряна, повторите." : error.message);
    button.disabled = false;
  }
});

// --- keys and small help ------------------------------------------------------------------------------------------------

let going = false;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const rows = [...document.querySelectorAll("[data-row] a")];
  const at = rows.indexOf(document.activeElement);
  if (going) {
    going = false;
    document.querySelector(`[data-go="${event.key}"]`)?.click();
  } else if (event.key === "g") {
    going = true;
    setTimeout(() => { going = false; }, 1500);
  } else if (event.key === "j" || event.key === "k") {
    rows[Math.min(Math.max(at + (event.key === "j" ? 1 : -1), 0), rows.length - 1)]?.focus();
  } else if (event.key === "/") {
    document.querySelector("[data-search]")?.focus();
  } else if (event.key === "u") {
    document.querySelector("[data-back]")?.click();
  } else return;
  event.preventDefault();
});

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
