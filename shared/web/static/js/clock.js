// Times stay true while a page is open: relative ones move on, exact ones show the reader's own zone, leases run down.
const language = document.documentElement.lang;
const words = JSON.parse(document.documentElement.dataset.clock);
// A browser that does not know a language says so only by what it writes: M11 for November.
const knows = !/M\d/.test(new Intl.DateTimeFormat(language, { month: "short", day: "numeric" }).format());
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const dates = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const steps = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

const ago = (seconds) => {
  const [unit, length] = steps.find(([, size]) => Math.abs(seconds) >= size) ?? steps.at(-1);
  const count = Math.trunc(seconds / length);
  if (knows) return relative.format(count, unit);
  return words[unit][count > 0 ? 1 : 0].replace("{0}", Math.abs(count));
};

const twoDigits = (number) => String(number).padStart(2, "0");

const exact = (moment) => knows
  ? dates.format(moment)
  : `${moment.getDate()} ${words.month[moment.getMonth()]} ${moment.getFullYear()}, `
    + `${twoDigits(moment.getHours())}:${twoDigits(moment.getMinutes())}`;

// Bytes as the server writes them.
export const size = (bytes) => {
  const step = bytes > 0 ? Math.min(Math.floor(Math.log(bytes) / Math.log(1024)), 3) : 0;
  const number = (bytes / 1024 ** step).toFixed(step > 1 ? 1 : 0).replace(".", words.decimal[0]);
  return `${number} ${["B", "KB", "MB", "GB"][step]}`;
};

const showTimes = (root) => {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    const near = time.querySelector(".when__ago");
    const far = time.querySelector(".when__exact");
    if (near) near.textContent = ago((moment - Date.now()) / 1000);
    if (far) far.textContent = exact(moment);
  }
};

const countDown = (root) => {
  for (const output of root.querySelectorAll("[data-countdown]")) {
    const left = Math.max(0, Math.round((new Date(output.dataset.countdown) - Date.now()) / 1000));
    output.textContent = `${Math.floor(left / 60)}:${twoDigits(left % 60)}`;
    const frame = output.closest("[data-lease]");
    if (!frame) continue;
    const phase = left === 0 ? "lost" : left <= 60 ? "ending" : "held";
    if (frame.dataset.lease !== phase) {
      frame.dataset.lease = phase;
      frame.dispatchEvent(new CustomEvent("lease", { bubbles: true, detail: { phase } }));
    }
    for (const words of frame.querySelectorAll("[data-phase]")) words.hidden = words.dataset.phase !== phase;
  }
};

export const startClock = (root = document) => {
  showTimes(root);
  countDown(root);
  setInterval(() => showTimes(document), 15_000);
  setInterval(() => countDown(document), 1_000);
};

export { showTimes };
