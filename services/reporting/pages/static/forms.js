// Forms become commands: they go from here straight to workflow, with the visitor's token and one id until the answer is
// known. What is typed stays in this tab until workflow has taken it: a refusal, a lost connection, a new login lose nothing.
"use strict";

const forms = [...document.querySelectorAll("form[data-command]")];
const meta = (name) => document.querySelector(`meta[name="otklik-${name}"]`).content;
const MEDIA = { jpg: "image/jpeg", jpeg: "image/jpeg", png: "image/png", gif: "image/gif", webp: "image/webp", mp4: "video/mp4", mov: "video/quicktime", pdf: "application/pdf" };
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

// --- from a form to a command's data ------------------------------------------------------------------------------------

const parts = (text, by) => text.split(by).map((part) => part.trim()).filter(Boolean);

function attachment(url) {
  const ending = url.split(/[?#]/)[0].split(".").pop().toLowerCase();
  return { url, media_type: MEDIA[ending] || "application/octet-stream" };
}

function valueOf(field) {
  const text = field.value.trim();
  if (text === "") return undefined;
  switch (field.dataset.kind) {
    case "bool": return text === "true";
    case "number": return Number(text);
    case "files": return parts(text, /\s+/).map(attachment);
    case "instant": return `${text.length === 16 ? `${text}:00` : text}${field.dataset.offset}`;
    case "message": return text.toLowerCase().match(UUID)?.[0] || text;
    default: return text;
  }
}

function routeOf(part) {
  const chosen = [...part.querySelectorAll("[data-agency]")].filter((one) => one.querySelector("[data-part=chosen]").checked);
  const led = chosen.some((one) => one.querySelector("[data-part=lead]").checked);
  return chosen.map((one) => {
    const told = { agency: one.dataset.agency };
    const order = one.querySelector("[data-part=order]").value;
    if (led) told.role = one.querySelector("[data-part=lead]").checked ? "lead" : "contributor";
    if (order) told.order = Number(order);
    return told;
  });
}

function dataOf(form) {
  const data = {};
  for (const field of form.querySelectorAll("[name][data-kind]")) {
    const value = valueOf(field);
    if (value !== undefined) data[field.name] = value;
  }
  for (const group of form.querySelectorAll("[data-kind=checks]")) {
    const ticked = [...group.querySelectorAll("input:checked")].map((one) => one.value);
    const typed = parts(group.querySelector("[data-other]")?.value || "", ",");
    if (ticked.length || typed.length) data[group.dataset.field] = [...new Set([...ticked, ...typed])];
  }
  for (const part of form.querySelectorAll("[data-route]")) data[part.dataset.route] = routeOf(part);
  return data;
}

// --- what is typed stays ------------------------------------------------------------------------------------------------

const controls = (form) => [...form.elements].filter((one) => one.name && one.type !== "hidden" && one.type !== "submit");
const ticks = (one) => one.type === "checkbox" || one.type === "radio";
const nameOf = (one) => (ticks(one) ? `${one.name}=${one.value}` : one.name);
const stateOf = (form) => JSON.stringify(controls(form).map((one) => [nameOf(one), ticks(one) ? one.checked : one.value]));
const placeOf = (form) => {
  const same = forms.filter((one) => one.dataset.command === form.dataset.command);
  return `${form.dataset.to} ${form.dataset.command} ${same.indexOf(form)}`;
};

function restore(form) {
  const kept = sessionStorage.getItem(placeOf(form));
  if (!kept) return;
  const values = new Map(JSON.parse(kept));
  for (const one of controls(form)) {
    if (!values.has(nameOf(one))) continue;
    if (ticks(one)) one.checked = values.get(nameOf(one)); else one.value = values.get(nameOf(one));
  }
  form.querySelector(".kept").hidden = false;
  form.closest("details").open = true;
}

// Who leads, in which order, who drafts: asked where several agencies are chosen.
function joint(form) {
  for (const part of form.querySelectorAll("[data-route]")) {
    const chosen = [...part.querySelectorAll("[data-part=chosen]:checked")].map((one) => one.value);
    form.classList.toggle("joint", chosen.length > 1);
    const drafter = form.elements.drafted_by;
    if (!drafter) continue;
    for (const option of drafter.options) option.hidden = !["", "coordinator", ...chosen].includes(option.value);
    if (chosen.length < 2 || drafter.selectedOptions[0].hidden) drafter.value = "";
  }
}

for (const form of forms) {
  restore(form);
  joint(form);
  form.addEventListener("input", () => joint(form));
  form.addEventListener("input", () => sessionStorage.setItem(placeOf(form), stateOf(form)));
  form.querySelector("[data-forget]").addEventListener("click", () => {
    sessionStorage.removeItem(placeOf(form));
    form.reset();
    joint(form);
    form.querySelector(".kept").hidden = true;
  });
}

// --- refusals, beside the form ------------------------------------------------------------------------------------------

function clear(form) {
  form.querySelector("[data-problem]").hidden = true;
  for (const one of form.querySelectorAll(".wrong")) one.remove();
  for (const one of form.querySelectorAll("[aria-invalid]")) one.removeAttribute("aria-invalid");
}

function point(form, fault, text) {
  // A fault points into the command's JSON: its second step is the field.
  const name = fault.pointer.split("/")[2];
  const field = [...form.querySelectorAll("[data-field]")].find((one) => one.dataset.field === name);
  if (!field) return null;
  const control = field.querySelector("input, select, textarea");
  control?.setAttribute("aria-invalid", "true");
  if (fault.detail === text) return control;
  const told = document.createElement("p");
  told.className = "wrong";
  told.textContent = control?.dataset.kind === "message" && !UUID.test(control.value) ? "нужен номер сообщения или адрес его страницы" : fault.detail;
  field.append(told);
  return control;
}

function tell(form, text, { faults = [], paragraph = null, again = false } = {}) {
  const place = form.querySelector("[data-problem]");
  const pointed = faults.map((fault) => [fault, point(form, fault, text)]);
  const rest = pointed.filter(([fault, control]) => !control && fault.detail !== text).map(([fault]) => fault.detail);
  const where = paragraph ? `${text.replace(/\.$/, "")} (${paragraph.includes(",") ? "пункты" : "пункт"} ${paragraph} положения).` : text;
  place.textContent = [where, ...rest].join("\n");
  if (again) {
    const link = document.createElement("a");
    link.href = location.pathname + location.search;
    link.textContent = "Показать, что изменилось";
    place.append("\n", link);
  }
  place.hidden = false;
  place.scrollIntoView({ block: "nearest" });
  (pointed.find(([, control]) => control)?.[1] || place).focus();
}

function refuse(form, problem) {
  const faults = problem.errors || [];
  if (problem.type === "urn:otklik:problem:sequence-conflict") {
    tell(form, "Пока вы работали, сообщение изменилось. Набранное сохранено.", { again: true });
    return;
  }
  if (problem.status === 422 && !problem.paragraph && faults.length) {
    tell(form, "Так отправить нельзя: поправьте отмеченное.", { faults });
    return;
  }
  tell(form, problem.detail || problem.title, { faults, paragraph: problem.paragraph });
}

// --- sending ------------------------------------------------------------------------------------------------------------

async function send(form) {
  const body = { type: form.dataset.command, data: dataOf(form) };
  if (form.dataset.sequence) body.expected_sequence = Number(form.dataset.sequence);
  const written = JSON.stringify(body);
  // One id until the answer is known: a second press, or one after a lost answer, is the same command.
  if (form.dataset.written !== written) { form.dataset.written = written; form.dataset.key = uuid(); }
  const answer = await fetch(meta("workflow") + form.dataset.to, {
    method: "POST",
    headers: { "Authorization": `Bearer ${meta("token")}`, "Content-Type": "application/json", "Idempotency-Key": form.dataset.key },
    body: written,
  });
  const told = await answer.json().catch(() => ({ title: `Ответ ${answer.status}` }));
  // A refusal is an outcome of its own: what is sent after it is another command.
  if (!answer.ok && answer.status < 500) delete form.dataset.written;
  return { status: answer.status, told };
}

async function submit(form) {
  const button = form.querySelector("button:not([type=button])");
  if (button.disabled) return;
  button.disabled = true;
  clear(form);
  try {
    const { status, told } = await send(form);
    if (status === 200) return accepted(form, told);
    if (status === 401) return location.assign(`/login?back=${encodeURIComponent(location.pathname + location.search)}`);
    refuse(form, told);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    tell(form, "Служба workflow не отвечает. Набранное сохранено: повторите через минуту, дважды команда не подействует.");
  }
  button.disabled = false;
}

function accepted(form, told) {
  sessionStorage.removeItem(placeOf(form));
  sessionStorage.setItem("done", form.closest("details").querySelector(".what").textContent);
  const query = new URLSearchParams(location.search);
  query.set("at_least", told.sequence);
  location.assign(`${location.pathname}?${query}`);
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-command]")) return;
  event.preventDefault();
  submit(event.target);
});

document.addEventListener("keydown", (event) => {
  const form = event.target.closest("form[data-command]");
  if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); }
  if (form && event.key === "Escape") form.closest("details").querySelector("summary").focus();
});

const done = sessionStorage.getItem("done");
if (done) {
  sessionStorage.removeItem("done");
  const place = document.getElementById("done");
  place.textContent = `Принято: ${done}`;
  place.hidden = false;
}
