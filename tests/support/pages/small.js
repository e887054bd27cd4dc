// Gives back the controls that are less than 24 pixels high, but for links within sentences.
() => [...document.querySelectorAll("a,button,summary,select,input:not([type=hidden]),textarea")]
  .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest(".visually-hidden,p,li.item"))
  .map((element) => [element, (element.closest("label") ?? element).getBoundingClientRect()])
  .filter(([element, box]) => box.width > 2 && box.height > 2 && box.height < 24 && !element.matches(".visually-hidden,.skip"))
  .map(([element, box]) => `${element.tagName} ${element.className} ${Math.round(box.height)}px`)
