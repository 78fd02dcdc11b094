// The table of trials: sorts by any column, keeps the rows that all filters accept, and shows some at a time.
const AT_ONCE = 100; // rows
const { columns, rows, colours } = read("table-data");
const table = document.getElementById("table");
const state = { column: 0, up: true, wanted: columns.map(() => ""), most: AT_ONCE };

const order = (cell) => (Array.isArray(cell) ? cell[0] : cell);
const shown = (cell) => String((Array.isArray(cell) ? cell[1] : cell) ?? "");

function make(name, parent, properties = {}) {
  const element = Object.assign(document.createElement(name), properties);
  parent.append(element);
  return element;
}

function compare(one, other) {
  const [a, b] = [order(one[state.column]), order(other[state.column])];
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? 1 : -1; // what is missing comes last, whichever way
  const both = typeof a === "number" && typeof b === "number";
  const difference = both ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  return state.up ? difference : -difference;
}

function accepts(wanted, cell) {
  const text = wanted.trim();
  const value = order(cell);
  if (!text) return true;
  const bound = text.match(/^(<=|>=|<|>|=)\s*([-+.\de]+)$/i);
  const range = text.match(/^([-+.\de]+)\s*\.\.\s*([-+.\de]+)$/i);
  if (bound || range) {
    if (typeof value !== "number") return false;
    if (range) return value >= Number(range[1]) && value <= Number(range[2]);
    const limit = Number(bound[2]);
    return { "<": value < limit, ">": value > limit, "<=": value <= limit, ">=": value >= limit, "=": value === limit }[bound[1]];
  }
  return shown(cell).toLowerCase().includes(text.toLowerCase());
}

function fill() {
  const kept = rows.filter((row) => row.every((cell, index) => accepts(state.wanted[index], cell))).sort(compare);
  const body = document.createElement("tbody");
  for (const row of kept.slice(0, state.most)) {
    const line = make("tr", body);
    row.forEach((cell, index) => {
      const text = shown(cell);
      const place = make("td", line, { className: columns[index].kind === "number" ? "number" : "", title: text.length > 24 ? text : "" });
      if (columns[index].kind === "state") make("span", place, { className: "dot" }).style.background = colours[text];
      place.append(text);
    });
  }
  table.tBodies[0].replaceWith(body);
  table.querySelectorAll("thead tr:first-child th").forEach((cell, index) => {
    cell.ariaSort = index === state.column ? (state.up ? "ascending" : "descending") : "none";
  });
  const all = `${rows.length.toLocaleString("en")} trial${rows.length === 1 ? "" : "s"}`;
  document.getElementById("shown").textContent = kept.length < rows.length ? `${kept.length} of ${all}` : all;
  document.getElementById("more").hidden = kept.length <= state.most;
  document.getElementById("all").hidden = state.wanted.every((wanted) => !wanted);
}

function filter(cell, column, index) {
  const set = (event) => {
    state.wanted[index] = event.target.value;
    state.most = AT_ONCE;
    fill();
  };
  const label = `keep by ${column.name}`;
  if (column.kind !== "state") {
    make("input", cell, { type: "search", ariaLabel: label, placeholder: column.kind === "number" ? ">" : "" }).addEventListener("input", set);
    return;
  }
  const choice = make("select", cell, { ariaLabel: label });
  make("option", choice, { value: "", textContent: "any" });
  [...new Set(rows.map((row) => shown(row[index])))].sort().forEach((name) => make("option", choice, { value: name, textContent: name }));
  choice.addEventListener("change", set);
}

function build() {
  const head = make("thead", table);
  const [names, filters] = [make("tr", head), make("tr", head)];
  columns.forEach((column, index) => {
    const number = column.kind === "number" ? "number" : "";
    const name = make("th", names, { className: number, scope: "col" });
    make("button", name, { type: "button", textContent: column.name, title: column.title }).addEventListener("click", () => {
      state.up = state.column === index ? !state.up : true;
      state.column = index;
      fill();
    });
    filter(make("th", filters, { className: number }), column, index);
  });
  make("tbody", table);
  document.getElementById("more").addEventListener("click", () => {
    state.most *= 4;
    fill();
  });
  document.getElementById("all").addEventListener("click", () => {
    state.wanted.fill("");
    table.querySelectorAll("input, select").forEach((field) => (field.value = ""));
    fill();
  });
  fill();
}

build();
