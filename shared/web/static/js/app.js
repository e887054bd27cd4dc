// Behaviour that every page has. It hangs on attributes; a page works without it, only less comfortably.
import { startClock } from "./clock.js";
import { startKeys } from "./keys.js";
import { startRefresh } from "./refresh.js";

const offline = document.querySelector("[data-offline]");
const showConnection = () => { offline.hidden = navigator.onLine; };
addEventListener("online", showConnection);
addEventListener("offline", showConnection);
showConnection();

// A double tap is one request. The server's idempotency key stands behind this; here the button only says so.
addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-once]") || event.defaultPrevented) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
  event.submitter?.setAttribute("aria-busy", "true");
});
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
});

addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent.trim());
  const said = button.dataset.copied;
  if (said) button.textContent = said;
});

addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) print();
  for (const open of document.querySelectorAll(".languages[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll(".languages[open]")) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});

for (const toast of document.querySelectorAll(".toast[data-seconds]")) {
  setTimeout(() => toast.remove(), Number(toast.dataset.seconds) * 1000);
}
const broken = document.querySelector("[data-focus]");
broken?.focus();

startRefresh(); // before the clock writes into what the server sent
startClock();
startKeys();
