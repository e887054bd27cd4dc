// Gives back what is wrong with the page it is evaluated in.
() => {
  const faults = [];
  const seen = (element) => element.checkVisibility({ visibilityProperty: true });
  const told = (element) => `${element.tagName.toLowerCase()}${element.id ? "#" + element.id : ""} ${element.className}`;
  const text = (element) => (element.textContent || "").trim();

  if (!document.documentElement.lang) faults.push("the page has no language");
  if (!document.title.trim()) faults.push("the page has no title");
  if (document.querySelectorAll("main").length !== 1) faults.push("there must be one main landmark");
  const headings = [...document.querySelectorAll("h1,h2,h3,h4")].filter(seen);
  if (headings.filter((heading) => heading.tagName === "H1").length !== 1) faults.push("there must be one h1");
  headings.reduce((before, heading) => {
    const level = Number(heading.tagName[1]);
    if (level > before + 1) faults.push(`heading level jumps to ${level}: ${text(heading)}`);
    return level;
  }, 0);

  for (const control of document.querySelectorAll("input:not([type=hidden]),select,textarea")) {
    if (!seen(control)) continue;
    const named = control.labels?.length || control.getAttribute("aria-label") || control.getAttribute("aria-labelledby");
    if (!named) faults.push(`no label: ${told(control)}`);
  }
  for (const control of document.querySelectorAll("a,button,summary")) {
    if (seen(control) && !text(control) && !control.getAttribute("aria-label")) faults.push(`no name: ${told(control)}`);
  }
  for (const image of document.querySelectorAll("img")) {
    if (!image.hasAttribute("alt")) faults.push(`no alternative text: ${image.src}`);
  }
  for (const nav of document.querySelectorAll("nav,section[aria-label]")) {
    if (!nav.getAttribute("aria-label") && !nav.getAttribute("aria-labelledby")) faults.push(`unnamed ${told(nav)}`);
  }
  for (const element of document.querySelectorAll("[aria-labelledby],[aria-describedby]")) {
    for (const name of ["aria-labelledby", "aria-describedby"]) {
      for (const id of (element.getAttribute(name) ?? "").split(/\s+/).filter(Boolean)) {
        if (!document.getElementById(id)) faults.push(`${name} points nowhere: ${id}`);
      }
    }
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id).filter(Boolean);
  for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) faults.push(`id twice: ${id}`);

  const parse = (colour) => {
    const numbers = colour.match(/[\d.]+/g).map(Number);
    return { rgb: numbers.slice(0, 3), alpha: numbers.length > 3 ? numbers[3] : 1 };
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.alpha === 1) return colour.rgb;
    }
    return parse(getComputedStyle(document.documentElement).backgroundColor).rgb;
  };
  const light = (rgb) => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [red, green, blue] = rgb.map((channel) => linear(channel / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const judged = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || judged.has(element) || !seen(element)) continue;
    if (element.closest(".visually-hidden,:disabled,option,[aria-busy=true],kbd,.skip")) continue;
    judged.add(element);
    const [one, other] = [light(parse(getComputedStyle(element).color).rgb), light(ground(element))].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    if (contrast < 6.99) faults.push(`contrast ${contrast.toFixed(1)}: ${told(element)}: ${text(element).slice(0, 40)}`);
  }

  if (document.documentElement.scrollWidth > innerWidth) {
    const wide = [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > innerWidth + 1);
    faults.push(`the page is wider than the screen: ${wide.slice(0, 4).map(told).join(", ")}`);
  }
  return faults;
}
