// The keyboard: `data-key` on a button or link presses it, j and k walk through the items of a list, ? shows the keys.
const typing = (target) => target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

const walk = (list, step) => {
  const items = [...list.querySelectorAll("[data-item]")];
  const here = items.indexOf(document.activeElement.closest("[data-item]"));
  const start = here < 0 ? items.findIndex((item) => item.matches("[aria-current]")) : here;
  const next = items[Math.min(items.length - 1, Math.max(0, start + step))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
};

export const startKeys = () => {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]") || typing(event.target)) return;
    const list = document.querySelector("[data-list]");
    if (list && (event.key === "j" || event.key === "k")) {
      walk(list, event.key === "j" ? 1 : -1);
      event.preventDefault();
      return;
    }
    const pressed = [...document.querySelectorAll("[data-key]")].find(
      (element) => element.dataset.key === event.key && !element.disabled && element.offsetParent !== null,
    );
    if (!pressed) return;
    event.preventDefault();
    if (pressed.matches("input:not([type=checkbox], [type=radio]), textarea, select")) pressed.focus();
    else pressed.click();
  });
};
