// What an edit changes, word by word, shown beneath the fields while they are being edited.
const words = (text) => text.match(/\s+|[\p{L}\p{M}\p{N}_]+|[^\s\p{L}\p{M}\p{N}_]/gu) ?? [];
const MOST = 1500;

const compared = (before, after) => {
  const [a, b] = [words(before), words(after)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let tail = 0;
  while (tail < a.length - start && tail < b.length - start && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const [x, y] = [a.slice(start, a.length - tail), b.slice(start, b.length - tail)];
  const middle = x.length > MOST || y.length > MOST ? [["del", x.join("")], ["ins", y.join("")]] : longest(x, y);
  return [["same", a.slice(0, start).join("")], ...middle, ["same", a.slice(a.length - tail).join("")]];
};

const longest = (x, y) => {
  const width = y.length + 1;
  const table = new Uint16Array((x.length + 1) * width);
  for (let i = x.length - 1; i >= 0; i -= 1) {
    for (let j = y.length - 1; j >= 0; j -= 1) {
      table[i * width + j] = x[i] === y[j]
        ? table[(i + 1) * width + j + 1] + 1
        : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  const pieces = [];
  let [i, j] = [0, 0];
  while (i < x.length || j < y.length) {
    if (i < x.length && j < y.length && x[i] === y[j]) { pieces.push(["same", x[i]]); i += 1; j += 1; }
    else if (j >= y.length || (i < x.length && table[(i + 1) * width + j] >= table[i * width + j + 1])) { pieces.push(["del", x[i]]); i += 1; }
    else { pieces.push(["ins", y[j]]); j += 1; }
  }
  return pieces;
};

const shown = (fields, output) => {
  output.replaceChildren();
  for (const field of fields) {
    if (field.value === field.defaultValue) continue;
    const line = document.createElement("p");
    for (const [kind, text] of compared(field.defaultValue, field.value)) {
      if (kind === "same") line.append(text);
      else line.append(Object.assign(document.createElement(kind), { textContent: text }));
    }
    output.append(line);
  }
  output.hidden = !output.childElementCount;
};

export const startDiff = () => {
  for (const frame of document.querySelectorAll("[data-diff]")) {
    const fields = [...frame.querySelectorAll("input, textarea")];
    const output = frame.querySelector("[data-diff-shown]");
    frame.addEventListener("input", () => shown(fields, output));
    shown(fields, output);
  }
};
