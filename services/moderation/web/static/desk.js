// The console's behaviour: the lease is kept while somebody works, edits show what they change, reasons are not forgotten.
import { startDiff } from "./diff.js";

const form = document.querySelector("form[data-claim]");
const WORKING_MS = 4 * 60_000;
const BEAT_MS = 60_000;

for (const button of document.querySelectorAll("[data-unblur]")) {
  button.addEventListener("click", () => {
    for (const box of document.querySelectorAll(".media__blur, .media__grey")) box.checked = false;
  });
}

const lose = () => {
  for (const button of document.querySelectorAll("[data-decides], [data-renew]")) button.disabled = true;
  for (const again of document.querySelectorAll("[data-again]")) again.hidden = false;
};

const keep = async () => {
  const body = new URLSearchParams({ csrf: form.elements.csrf.value, claim_token: form.elements.claim_token.value });
  const answer = await fetch(form.dataset.renewal, {
    method: "POST", body, credentials: "same-origin", headers: { Accept: "application/json" },
  });
  const frame = document.querySelector("[data-lease]");
  if (answer.ok) {
    const { lease_expires_at: until } = await answer.json();
    frame.querySelector("[data-countdown]").dataset.countdown = until;
  } else if (answer.status === 409) {
    frame.querySelector("[data-countdown]").dataset.countdown = new Date(0).toISOString();
    lose();
  }
};

if (form) {
  let touched = Date.now();
  for (const kind of ["pointermove", "keydown", "scroll", "input"]) {
    addEventListener(kind, () => { touched = Date.now(); }, { passive: true });
  }
  setInterval(() => {
    // Nobody at the desk: let it run out, so that it comes back to the queue.
    if (!document.hidden && navigator.onLine && Date.now() - touched < WORKING_MS) keep().catch(() => {});
  }, BEAT_MS);
  addEventListener("lease", (event) => { if (event.detail.phase === "lost") lose(); });
  document.querySelector("[data-renew]")?.addEventListener("click", (event) => {
    event.preventDefault();
    keep().catch(() => {});
  });
  form.addEventListener("submit", (event) => {
    const chosen = form.querySelector("[name=reasons]:checked");
    if (event.submitter?.matches("[data-needs-reason]") && !chosen) {
      event.preventDefault();
      const first = form.querySelector("[name=reasons]");
      first?.focus();
      first?.closest("fieldset").scrollIntoView({ block: "center" });
    }
  }, { capture: true });
  for (const again of document.querySelectorAll("form[data-again]")) {
    again.addEventListener("submit", () => {
      // What was chosen and written comes back in the form once the case is taken again.
      const carried = [...new FormData(form)].filter(([name]) => !["csrf", "claim_token", "verdict"].includes(name));
      for (const [name, value] of [["kept", "1"], ...carried]) {
        again.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
      }
    });
  }
  const time = form.elements.publish_at;
  time?.addEventListener("change", () => {
    form.elements.offset.value = time.value ? String(new Date(time.value).getTimezoneOffset()) : "";
  });
  startDiff();
}
