"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, at) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((one) => one.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[at].dataset.key;
    const order = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x !== undefined && y !== undefined) return (x - y) * (down ? -1 : 1);
      if (x !== undefined || y !== undefined) return x !== undefined ? -1 : 1; // what has no number stands last
      return a.cells[at].textContent.localeCompare(b.cells[at].textContent) * (down ? -1 : 1);
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
  }));
}
