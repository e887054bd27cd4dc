// Gentle renewal: every element with an id and `data-refresh="<seconds>"` is fetched again and replaced only when it changed.
// All of a page come with one answer, so that what belongs together changes together. It waits while the page is hidden,
// offline or being used inside that element, and slows down when the server is away.
import { showTimes } from "./clock.js";

const every = () => [...document.querySelectorAll("[id][data-refresh]")];
const busy = (element) => element.contains(document.activeElement) && document.activeElement !== document.body;

// What the server said of an element: its version where it names one, else its text without what differs in every answer.
const saidOf = (element) => {
  if (element.dataset.version) return element.dataset.version;
  const copy = element.cloneNode(true);
  for (const time of copy.querySelectorAll("time")) time.replaceChildren();
  for (const token of copy.querySelectorAll("input[name=csrf]")) token.remove();
  return copy.outerHTML;
};
const known = new Map();

const place = (fresh, old) => {
  const said = saidOf(fresh);
  if (!known.has(fresh.id)) known.set(fresh.id, said);
  if (known.get(fresh.id) === said || busy(old)) return false;
  known.set(fresh.id, said);
  old.replaceWith(fresh);
  showTimes(fresh);
  return true;
};

const renew = async () => {
  const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Renewal": "1" }, credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const changed = every().filter((old) => {
    const fresh = page.getElementById(old.id);
    return fresh && place(fresh, old);
  });
  const said = document.querySelector("[data-refresh-said]");
  if (changed.length > 0 && said) said.textContent = said.dataset.refreshSaid;
  return true;
};

export const startRefresh = () => {
  if (every().length === 0) return;
  const period = () => Math.min(300, ...every().map((element) => Number(element.dataset.refresh)));
  let wait = period();
  const round = async () => {
    if (!document.hidden && navigator.onLine) {
      const went = await renew().catch(() => false);
      wait = went ? period() : Math.min(wait * 2, 300);
    }
    setTimeout(round, wait * 1000);
  };
  const now = () => renew().catch(() => false);
  for (const element of every()) known.set(element.id, saidOf(element));
  setTimeout(round, wait * 1000);
  addEventListener("online", now);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) now(); });
};
