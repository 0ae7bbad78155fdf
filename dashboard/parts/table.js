// A table that people sort, filter, read on a phone, edit and download. Texts come ready from Python; nothing is ever taken as HTML.

// So few rows are read faster than searched.
const FEW = 8;
const AGAIN_MS = 4_000;

const el = (tag, props = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter(Boolean));
  return node;
};

const compare = (a, b) => {
  const missing = (value) => value === null || value === undefined || value === "";
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
};

const wanted = (data, state) => {
  const words = state.find.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const found = data.rows.filter((row) => {
    const text = data.columns.map((c) => `${row.cells[c.key]?.text ?? ""} ${row.cells[c.key]?.small ?? ""}`).join(" ").toLocaleLowerCase();
    return words.every((word) => text.includes(word));
  });
  if (!state.sort) return found;
  const down = state.sort.startsWith("-");
  const key = down ? state.sort.slice(1) : state.sort;
  // What is missing stays at the end, whichever way the rest goes.
  const absent = (row) => row.cells[key]?.sort === null || row.cells[key]?.sort === undefined;
  return found
    .map((row, place) => [row, place])
    .sort(([a, i], [b, j]) => absent(a) - absent(b) || (down ? -1 : 1) * compare(a.cells[key]?.sort, b.cells[key]?.sort) || i - j)
    .map(([row]) => row);
};

// A spreadsheet would take a text that begins like this for a formula.
const inert = (value) => (typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : value);
const quoted = (value) => {
  const text = String(inert(value) ?? "");
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

// What stands small beneath a cell is a column of its own.
const download = (data, rows) => {
  const small = (c) => rows.some((row) => row.cells[c.key]?.small);
  const cells = (line) => data.columns.flatMap((c) => line(c)).map(quoted).join(",");
  const lines = [cells((c) => (small(c) ? [c.title, `${c.title}, more`] : [c.title]))];
  for (const row of rows) {
    lines.push(cells((c) => {
      const cell = row.cells[c.key];
      return small(c) ? [cell?.value ?? cell?.text, cell?.small ?? ""] : [cell?.value ?? cell?.text];
    }));
  }
  const address = URL.createObjectURL(new Blob(["\ufeff", lines.join("\r\n"), "\r\n"], { type: "text/csv" }));
  el("a", { href: address, download: `${data.file}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
};

// All that was entered and not taken yet is sent each time, numbered: Python may see two at once, and takes each once.
const send = (root, of, row, text) => {
  const { data, component } = root.latest;
  // This table on this page in this browser, for as long as it is open: another one's numbers say nothing of its own.
  root.page ??= Math.random().toString(36).slice(2);
  const waiting = (root.entered ?? []).filter(({ n }) => n > data.taken);
  root.entered = [...waiting, { n: Math.max(Date.now(), (root.entered?.at(-1)?.n ?? 0) + 1), page: root.page, of, row, text }];
  component.setStateValue("entered", root.entered);
  sayAgain(root);
};

// What is sent while the connection is broken is dropped on its way, and nobody draws anew until something else is done.
const sayAgain = (root) => {
  clearTimeout(root.again);
  root.again = setTimeout(() => {
    if (!root.isConnected || (root.entered?.at(-1)?.n ?? 0) <= root.latest.data.taken) return;
    if (document.querySelector("[data-test-connection-state]")?.dataset.testConnectionState === "CONNECTED") {
      root.latest.component.setStateValue("entered", [...root.entered]);
    }
    sayAgain(root);
  }, AGAIN_MS);
};

// A browser's own field for numbers takes 1.200 for 1.2 in one country and for 1200 in the other: Python knows what whole units are.
const editor = (column, row, cell, root) => {
  const { of } = root.latest.data;
  const input = el("input", {
    type: "text", inputmode: "numeric", autocomplete: "off", value: cell.value, class: "edit", "aria-label": `${column.title}, ${row.name}`,
    "data-of": of, "data-row": row.id, "data-column": column.key, "data-shown": cell.value, "data-step": cell.step ?? 1,
  });
  const commit = () => {
    if (root.drawing || !isTyping(input)) return;
    input.dataset.shown = input.value.trim();
    send(root, of, row.id, input.value);
  };
  const step = (by) => {
    const now = Number(input.value);
    if (Number.isInteger(now)) input.value = Math.max(0, now + by * Number(input.dataset.step));
  };
  input.addEventListener("blur", commit);
  input.addEventListener("keydown", (event) => {
    const pressed = { Enter: commit, ArrowUp: () => step(1), ArrowDown: () => step(-1), Escape: () => (input.value = input.dataset.shown) }[event.key];
    if (!pressed) return;
    if (event.key !== "Enter") event.preventDefault();
    pressed();
  });
  return input;
};

const isTyping = (input) => !["", input.dataset.shown].includes(input.value.trim());

// Drawing anew must not take from somebody what they are typing.
const keepTyping = (root, draw) => {
  const before = root.getRootNode().activeElement;
  const typed = before?.matches?.("input.edit") ? before : undefined;
  // Of another store by now: what was typed for the one before is not to stand here, and goes where it was meant for.
  if (typed && typed.dataset.of !== root.latest.data.of) typed.blur();
  root.drawing = true;
  draw();
  // Who goes on by keyboard stays where they were, on a row's link too.
  const place = (node) => [node.tagName, node.dataset.of, node.dataset.row, node.dataset.column].join("|");
  const same = before?.dataset?.row && [...root.querySelectorAll("input.edit, tbody a")].find((node) => place(node) === place(before));
  if (same) {
    // What was sent is what Python says it is by now.
    if (typed && isTyping(typed)) same.value = typed.value;
    same.focus();
  }
  root.drawing = false;
};

// Whoever leaves while something is typed, or on its way, is asked first.
const askBeforeLeaving = (root) => {
  const ask = (event) => {
    if (!root.isConnected) return window.removeEventListener("beforeunload", ask);
    const typed = root.getRootNode().activeElement;
    if ((typed?.matches?.("input.edit") && isTyping(typed)) || (root.entered?.at(-1)?.n ?? 0) > root.latest.data.taken) event.preventDefault();
  };
  window.addEventListener("beforeunload", ask);
};

const cellOf = (column, row, root) => {
  const cell = row.cells[column.key] ?? {};
  const first = column.name;
  const node = el(first ? "th" : "td", {
    scope: first ? "row" : undefined, title: cell.help, class: [column.number ? "number" : "", column.phone ? "" : "desk", cell.tone ?? ""].join(" ").trim(),
  });
  if (column.edit && cell.edit) node.append(editor(column, row, cell, root));
  else if (first && row.href) node.append(el("a", { href: row.href, target: "_self", text: cell.text, "data-of": root.latest.data.of, "data-row": row.id }));
  else if (cell.spark) node.append(sparkline(cell.spark, cell.text));
  else node.append(el("span", { text: cell.text ?? "" }));
  if (cell.phone) node.append(el("small", { class: "phone", text: cell.phone }));
  if (cell.small) node.append(el("small", { text: cell.small }));
  return node;
};

const sparkline = (values, label) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const known = values.filter((value) => value !== null);
  const top = Math.max(1, ...known);
  const x = (i) => 2 + (i * 76) / Math.max(1, values.length - 1);
  const y = (value) => 22 - (value / top) * 20;
  const line = document.createElementNS(svg.namespaceURI, "polyline");
  line.setAttribute("points", values.map((value, i) => (value === null ? null : `${x(i)},${y(value)}`)).filter(Boolean).join(" "));
  const dot = document.createElementNS(svg.namespaceURI, "circle");
  const last = values.length - 1;
  if (values[last] !== null && last >= 0) {
    dot.setAttribute("cx", x(last)); dot.setAttribute("cy", y(values[last])); dot.setAttribute("r", 2.5);
  }
  svg.append(line, dot);
  for (const [name, value] of Object.entries({ viewBox: "0 0 80 24", width: 80, height: 24, role: "img", "aria-label": label ?? "" })) svg.setAttribute(name, value);
  return svg;
};

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".table-root");
  const state = root.state ?? { sort: data.sort, find: data.find };
  root.state = state;
  root.latest = { data, component };
  // What Python says counts where it changed: another address was opened.
  if (root.told !== undefined && root.told !== `${data.sort}|${data.find}` && root.told !== `${state.sort}|${state.find}`) Object.assign(state, { sort: data.sort, find: data.find });
  root.told = `${data.sort}|${data.find}`;

  const remember = () => component.setStateValue("view", { sort: state.sort, find: state.find });
  const draw = () => keepTyping(root, fill);
  const fill = () => {
    // Listeners live longer than one call: they draw what came last.
    const { data } = root.latest;
    const rows = wanted(data, state);
    const heads = data.columns.map((column) => {
      const way = state.sort === column.key ? "ascending" : state.sort === `-${column.key}` ? "descending" : "none";
      const press = () => {
        const firstWay = column.number ? `-${column.key}` : column.key;
        const otherWay = column.number ? column.key : `-${column.key}`;
        state.sort = state.sort === firstWay ? otherWay : firstWay;
        draw();
        remember();
        root.querySelector(`button[data-key="${column.key}"]`)?.focus();
      };
      const mark = way === "ascending" ? " ▲" : way === "descending" ? " ▼" : "";
      const button = el("button", { type: "button", title: column.help, "data-key": column.key, text: column.title + mark, onclick: press });
      return el("th", { scope: "col", "aria-sort": way, class: [column.number ? "number" : "", column.phone ? "" : "desk"].join(" ").trim() }, button);
    });
    const body = el("tbody", {}, ...rows.map((row) => el("tr", { class: row.tone }, ...data.columns.map((column) => cellOf(column, row, root)))));
    const table = el("table", {}, el("caption", { text: data.caption }), el("thead", {}, el("tr", {}, ...heads)), body);
    root.querySelector("input[type=search]").hidden = data.rows.length < FEW && !state.find;
    const count = rows.length === data.rows.length ? `${rows.length} ${rows.length === 1 ? "row" : "rows"}` : `${rows.length} of ${data.rows.length} rows`;
    root.querySelector(".count").textContent = count;
    root.querySelector(".scroll").replaceChildren(rows.length ? table : el("p", { class: "none", text: data.rows.length ? `Nothing matches “${state.find}”. Clear the search to see all rows.` : data.empty }));
  };

  if (!root.querySelector(".bar")) {
    const find = el("input", { type: "search", placeholder: "Search", "aria-label": `Search ${data.caption}`, value: state.find });
    let pause;
    find.addEventListener("input", () => {
      state.find = find.value;
      draw();
      clearTimeout(pause);
      pause = setTimeout(remember, 400);
    });
    const save = el("button", { type: "button", class: "save", text: "Download CSV", onclick: () => download(root.latest.data, wanted(root.latest.data, state)) });
    askBeforeLeaving(root);
    root.append(el("div", { class: "bar" }, find, el("span", { class: "count", role: "status" }), save), el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": data.caption }));
  }
  root.querySelector("input[type=search]").value = state.find;
  draw();
}
