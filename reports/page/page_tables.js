// Tables sort and filter. Rows beyond those in the page wait as JSON beside their table and are shown a page at a
// time; without this script the first rows stand as they are. On paper whatever is folded opens.
const ROWS_AT_ONCE = 400;

// A row as its cells: what they say, and the number that each sorts by, null where it has none.
function rowsOf(table) {
  const rows = [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => ({
    text: cell.textContent, sort: "sort" in cell.dataset ? Number(cell.dataset.sort) : null })));
  const rest = table.parentElement.querySelector("script.rest");
  if (!rest) return rows;
  const { words, rows: coded, sorts } = JSON.parse(rest.textContent);
  const text = (cell) => (typeof cell === "number" ? words[cell] : cell);
  return rows.concat(coded.map((row, k) => row.map((cell, i) => ({ text: text(cell), sort: sorts[i]?.[k] ?? null }))));
}

function tableOf(table) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const numeric = heads.map((head) => head.classList.contains("number"));
  const all = rowsOf(table), section = table.closest(".listing");
  const search = section.querySelector(".search"), pager = section.querySelector(".pager");
  let found = all, first = 0;

  const turn = () => {
    body.replaceChildren(...found.slice(first, first + ROWS_AT_ONCE).map((cells) => {
      const row = document.createElement("tr");
      cells.forEach(({ text }, i) => {
        const cell = row.insertCell();
        cell.textContent = text;
        if (numeric[i]) cell.className = "number";
      });
      return row;
    }));
    if (!pager) return;
    const last = Math.min(found.length, first + ROWS_AT_ONCE);
    pager.hidden = found.length <= ROWS_AT_ONCE;
    pager.querySelector("output").textContent = `${first + 1} to ${last} of ${found.length}`;
    pager.querySelector(".before").disabled = first === 0;
    pager.querySelector(".after").disabled = last === found.length;
  };
  pager?.querySelector(".before").addEventListener("click", () => { first -= ROWS_AT_ONCE; turn(); });
  pager?.querySelector(".after").addEventListener("click", () => { first += ROWS_AT_ONCE; turn(); });

  heads.forEach((head, i) => {
    head.tabIndex = 0;
    const sort = () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
      found = [...found].sort(({ [i]: a }, { [i]: b }) => {
        if (!numeric[i]) return sign * a.text.localeCompare(b.text, "en", { numeric: true });
        // What has no figure stays last, whichever way.
        if (a.sort === null || b.sort === null) return (a.sort === null) - (b.sort === null);
        return sign * (a.sort - b.sort);
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
    const texts = new Map(all.map((row) => [row, row.map(({ text }) => text).join(" ").toLowerCase()]));
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

let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const one of folded) one.open = true;
});
addEventListener("afterprint", () => { for (const one of folded) one.open = false; });
