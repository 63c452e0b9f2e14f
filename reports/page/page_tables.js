// Tables sort and filter. Rows beyond those in the page wait as JSON beside their table and are shown a page at a
// time; without this script the first rows stand as they are.
const ROWS_AT_ONCE = 400;

function valueOf(text) {
  const found = /^[\d.,]+/.exec(text);
  return found ? Number(found[0].replaceAll(",", "")) : null;
}

function compareTexts(a, b, numeric) {
  if (!numeric) return a.localeCompare(b, "en", { numeric: true });
  const x = valueOf(a), y = valueOf(b);
  if (x === null || y === null) return (x === null) - (y === null);
  return x - y;
}

function rowsOf(table) {
  const rows = [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent));
  const rest = table.parentElement.querySelector("script.rest");
  if (!rest) return rows;
  const { words, rows: coded } = JSON.parse(rest.textContent);
  return rows.concat(coded.map((row) => row.map((cell) => (typeof cell === "number" ? words[cell] : cell))));
}

function tableOf(table) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const numeric = heads.map((head) => head.classList.contains("number"));
  const all = rowsOf(table), section = table.closest(".listing");
  const search = section.querySelector(".search"), pager = section.querySelector(".pager");
  let found = all, first = 0;

  const show = (rows) => body.replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    cells.forEach((text, i) => {
      const cell = row.insertCell();
      cell.textContent = text;
      if (numeric[i]) cell.className = "number";
    });
    return row;
  }));
  const turn = () => {
    show(found.slice(first, first + ROWS_AT_ONCE));
    if (!pager) return;
    pager.hidden = found.length <= ROWS_AT_ONCE;
    const last = Math.min(found.length, first + ROWS_AT_ONCE);
    pager.querySelector("output").textContent = `${first + 1} to ${last} of ${found.length}`;
    pager.querySelector(".before").disabled = first === 0;
    pager.querySelector(".after").disabled = last === found.length;
  };

  if (pager) {
    pager.querySelector(".before").addEventListener("click", () => { first -= ROWS_AT_ONCE; turn(); });
    pager.querySelector(".after").addEventListener("click", () => { first += ROWS_AT_ONCE; turn(); });
  }
  heads.forEach((head, i) => {
    head.tabIndex = 0;
    const sort = () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      found = [...found].sort((a, b) => {
        // What has no figure stays last, whichever way.
        if (numeric[i] && (valueOf(a[i]) === null || valueOf(b[i]) === null)) return compareTexts(a[i], b[i], true);
        return (down ? -1 : 1) * compareTexts(a[i], b[i], numeric[i]);
      });
      first = 0;
      turn();
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  });
  if (search) {
    search.hidden = false;
    const input = search.querySelector("input"), count = search.querySelector("output");
    const texts = new Map(all.map((row) => [row, row.join(" ").toLowerCase()]));
    const filter = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      found = all.filter((row) => words.every((word) => texts.get(row).includes(word)));
      heads.forEach((head) => head.removeAttribute("aria-sort"));
      count.textContent = `${found.length} of ${all.length}`;
      first = 0;
      turn();
    };
    input.addEventListener("input", filter);
    count.textContent = `${all.length} of ${all.length}`;
  }
  if (all.length > body.rows.length) turn();
}

for (const table of document.querySelectorAll(".listing table")) tableOf(table);
