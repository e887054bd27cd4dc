// The send form: files go up while the person still writes; sending waits for the last byte.
import { size } from "./shared/js/clock.js";
import { Upload } from "./tus.js";

const form = document.querySelector("form[data-uploads]");
const picker = form.querySelector("[data-picker]");
const list = form.querySelector("[data-files]");
const template = form.querySelector("template[data-file]");
const total = document.querySelector("[data-total]");
const button = document.querySelector("[data-send]");
const most = Number(form.dataset.most);
const CHECKING_SECONDS = 60;
const uploads = new Map();
let sending = false;

const say = (element, name, values = {}) => {
  let text = form.dataset[name];
  for (const [key, value] of Object.entries(values)) text = text.replace(`{${key}}`, value);
  element.textContent = text;
};

const timeLeft = (seconds) => (seconds < 90
  ? form.dataset.saySeconds.replace("{count}", Math.ceil(seconds))
  : form.dataset.sayMinutes.replace("{count}", Math.ceil(seconds / 60)));

const items = () => [...list.querySelectorAll("[data-file-state]")];
const unfinished = () => items().filter((item) => item.dataset.fileState === "sending" || item.dataset.fileState === "waiting");
const failed = () => items().filter((item) => item.dataset.fileState === "failed");

const showTotal = () => {
  const all = items();
  const arrived = all.filter((item) => item.dataset.fileState === "done").length;
  if (all.length === 0) total.textContent = "";
  else if (failed().length) say(total, "sayFailed", { count: failed().length });
  else if (arrived === all.length) say(total, "sayAll", { all: all.length });
  else say(total, sending ? "sayThenSend" : "saySome", { arrived, all: all.length });
  picker.disabled = all.length >= most;
};

const begin = (file) => {
  const item = template.content.firstElementChild.cloneNode(true);
  const progress = item.querySelector("progress");
  const status = item.querySelector("[data-status]");
  const alt = item.querySelector("textarea");
  item.querySelector("[data-name]").textContent = file.name;
  progress.max = Math.max(file.size, 1);
  progress.setAttribute("aria-label", file.name);
  alt.id = `alt-${crypto.randomUUID()}`;
  item.querySelector("label").htmlFor = alt.id;
  item.querySelector("[name=upload_name]").value = file.name;
  if (file.type.startsWith("image/")) {
    const thumb = item.querySelector("img");
    thumb.src = URL.createObjectURL(file);
    thumb.hidden = false;
    // HEIF photos upload well but most browsers cannot show them; an empty frame is better than a broken one.
    thumb.addEventListener("error", () => { thumb.hidden = true; });
    thumb.addEventListener("load", () => URL.revokeObjectURL(thumb.src));
  }
  const began = performance.now();
  let from = null;
  const upload = new Upload(file, {
    endpoint: form.dataset.uploads,
    headers: { "X-CSRF-Token": form.elements.csrf.value },
    on: {
      progress: (sent) => {
        from ??= sent;
        progress.value = sent;
        const pace = (sent - from) / Math.max(performance.now() - began, 1) * 1000;
        const rest = file.size - sent;
        const parts = { sent: size(sent), all: size(file.size), left: pace > 0 ? timeLeft(rest / pace) : "…" };
        say(status, pace > 0 && rest > 0 ? "sayTime" : "sayBytes", parts);
      },
      waiting: () => { item.dataset.fileState = "waiting"; say(status, "sayWaiting"); },
      going: () => { item.dataset.fileState = "sending"; },
    },
  });
  uploads.set(item, upload);
  list.append(item);
  item.dataset.fileState = "sending";
  const arrive = async () => {
    item.querySelector("[name=upload_id]").value = await upload.run();
    progress.value = progress.max;
    say(status, "sayChecking");
    await upload.verdict(CHECKING_SECONDS);
    item.dataset.fileState = "done";
    say(status, "sayArrived", { all: size(file.size) });
  };
  arrive().catch((error) => {
    if (error.name === "AbortError") return;
    item.dataset.fileState = "failed";
    item.querySelector("[name=upload_id]").value = "";
    say(status, error.status === 413 ? "sayTooLarge" : error.status === 401 ? "saySignIn" : "sayRefused");
    const why = item.querySelector("[data-why]");
    const known = `why${(error.code ?? "").replace(/(^|_)([a-z])/g, (_, __, letter) => letter.toUpperCase())}`;
    why.textContent = form.dataset[known] ?? error.message;
    why.hidden = false;
  }).finally(() => {
    showTotal();
    if (sending && unfinished().length === 0) finish();
  });
};

const finish = () => {
  sending = false;
  button.removeAttribute("aria-busy");
  if (failed().length === 0) form.requestSubmit(button);
  else failed()[0].querySelector("[data-remove]").focus();
};

picker.addEventListener("change", () => {
  const room = most - items().length;
  const files = [...picker.files];
  for (const file of files.slice(0, room)) begin(file);
  picker.value = "";
  showTotal();
  list.querySelector("[data-file-state]:last-child textarea")?.focus();
});

list.addEventListener("click", (event) => {
  const remove = event.target.closest("[data-remove]");
  if (!remove) return;
  const item = remove.closest("[data-file-state]");
  uploads.get(item)?.cancel();
  uploads.delete(item);
  item.remove();
  showTotal();
  picker.focus();
});

form.addEventListener("submit", (event) => {
  if (failed().length) {
    event.preventDefault();
    event.stopImmediatePropagation();
    failed()[0].querySelector("[data-remove]").focus();
  } else if (unfinished().length) {
    event.preventDefault();
    event.stopImmediatePropagation();
    sending = true;
    button.setAttribute("aria-busy", "true");
  }
  showTotal();
}, { capture: true });

addEventListener("beforeunload", (event) => {
  if (unfinished().length) event.preventDefault();
});

// Which credit is asked for follows the choice above it.
const credit = form.querySelector("[data-credit]");
const showCredit = () => {
  const wanted = form.elements.attribution.value === "pseudonym";
  credit.hidden = !wanted;
  credit.querySelector("input").required = wanted;
};
form.addEventListener("change", showCredit);
showCredit();
showTotal();
