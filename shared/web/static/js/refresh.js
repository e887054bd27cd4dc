// Gentle renewal: an element with an id and `data-refresh="<seconds>"` is fetched again and replaced only when it changed.
// It waits while the page is hidden, offline or being used inside that element, and slows down when the server is away.
import { showTimes } from "./clock.js";

const busy = (element) => element.contains(document.activeElement) && document.activeElement !== document.body;

const renew = async (id) => {
  const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Renewal": "1" }, credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return false;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
  const old = document.getElementById(id);
  if (!fresh || !old) return false;
  if (fresh.dataset.version !== old.dataset.version && !busy(old)) {
    old.replaceWith(fresh);
    showTimes(fresh);
    const said = document.querySelector("[data-refresh-said]");
    if (said) said.textContent = said.dataset.refreshSaid;
  }
  return true;
};

const watch = (id, seconds) => {
  let wait = seconds;
  const round = async () => {
    if (!document.hidden && navigator.onLine) {
      const went = await renew(id).catch(() => false);
      wait = went ? seconds : Math.min(wait * 2, 300);
    }
    setTimeout(round, wait * 1000);
  };
  setTimeout(round, wait * 1000);
  addEventListener("online", () => renew(id).catch(() => false));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) renew(id).catch(() => false); });
};

export const startRefresh = () => {
  for (const element of document.querySelectorAll("[id][data-refresh]")) watch(element.id, Number(element.dataset.refresh));
};
