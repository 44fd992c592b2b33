"use strict";
// The table is complete without this script, which sorts, filters and searches it.
const STRENGTH = ["aborted", "errored", "failed", "none", "blocked", "passx", "passed", "skipped"];

// Orders two rows by a column: n number, r result, t task, s seconds, w reason. Equals keep the order of the run.
function compare(column, a, b) {
  if (column === "r") return STRENGTH.indexOf(a.r) - STRENGTH.indexOf(b.r) || a.n - b.n;
  if (column === "n" || column === "s") return a[column] - b[column] || a.n - b.n;
  return a[column].localeCompare(b[column], undefined, { numeric: true }) || a.n - b.n;
}

// Tells whether a row is shown: by its result, and by words that must all stand in its text.
function isShown(row, filter, words) {
  const fits = !filter || row.r === filter || (filter === "flaky" && row.flaky) || (filter === "bad" && STRENGTH.indexOf(row.r) < 5);
  return fits && words.every((word) => row.text().includes(word));
}

function start(document) {
  const table = document.getElementById("tasks");
  // A body of the table is a task: a row of what is known of it, and one below over the whole width.
  const rows = Array.from(table.tBodies, (body) => {
    let text;
    const cells = body.rows[0].cells;
    return {
      body, n: +cells[0].textContent, r: body.dataset.r, flaky: "flaky" in body.dataset, s: +cells[3].textContent || 0,
      get t() { return cells[2].querySelector("b").textContent; },
      get w() { return cells[4].textContent; },
      text: () => (text ??= body.textContent.toLowerCase()),
    };
  });
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  const buttons = Array.from(document.querySelectorAll("button[data-filter]"));
  let filter = "";

  function refresh() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const shown = isShown(row, filter, words);
      if (row.body.hidden === shown) row.body.hidden = !shown;
      count += shown;
    }
    found.value = count === rows.length ? "" : `${count} of ${rows.length}`;
  }

  function choose(wanted) {
    filter = wanted;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.filter === filter));
    refresh();
  }

  for (const button of buttons) {
    button.addEventListener("click", () => choose(filter === button.dataset.filter ? "" : button.dataset.filter));
  }
  const heads = Array.from(document.querySelectorAll("th[data-sort]"));
  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const sign = descending ? -1 : 1;
      rows.sort((a, b) => sign * compare(head.dataset.sort, a, b));
      for (const row of rows) table.append(row.body);
    });
  }
  let timer;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, rows.length > 1000 ? 150 : 0);
  });
  document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());
  const unfold = document.getElementById("unfold");
  unfold.addEventListener("click", () => {
    const open = unfold.getAttribute("aria-pressed") !== "true";
    unfold.setAttribute("aria-pressed", String(open));
    for (const row of rows) {
      if (!row.body.hidden) for (const details of row.body.querySelectorAll("details")) details.open = open;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== search && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
    }
  });
  document.getElementById("controls").hidden = false;
}

if (typeof document !== "undefined") start(document);
