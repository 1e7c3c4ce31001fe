// A list of objects as a table: one row each, page by page, so that thousands stay usable.
(function () {
  "use strict";
  const { json, h, icon, input, paste } = window.centroForm;
  const PAGE = 50;
  const KEEP = 200; // problems listed above the table

  class Table {
    constructor(form, path, node) {
      this.form = form;
      this.path = path;
      this.pointer = json.pointer(path);
      this.node = node;
      this.faults = [];
      const before = form.tables.get(this.pointer);
      this.page = before ? before.page : 0;
      this.isWide = before ? before.isWide : false;
      form.tables.set(this.pointer, this);
      this.items = form.schema.resolve(node.items);
      this.list = h("ul", { class: "form-row-faults" });
      this.body = h("tbody");
      this.head = h("thead");
      this.status = h("p", { class: "quiet small mb-0", role: "status" });
      this.pager = h("div", { class: "form-bar" });
      this.element = h("div", { class: "form-table-frame" }, this.tools(), this.list, this.scroller(), this.pager, this.status);
      this.listen();
      this.draw();
    }

    rows() {
      const rows = this.form.get(this.path);
      return Array.isArray(rows) ? rows : [];
    }

    // The rows to change: made where there are none yet.
    made() {
      if (!Array.isArray(this.form.get(this.path))) this.form.set(this.path, []);
      return this.form.get(this.path);
    }

    columns() {
      const { schema } = this.form;
      const all = schema.properties(this.items).map(([key, child]) => {
        const node = schema.resolve(child);
        const kind = schema.isScalar(schema.kind(node)) ? schema.kind(node) : "raw";
        return { key, node, kind, required: schema.isRequired(this.items, key) };
      });
      const known = new Set(all.map((column) => column.key));
      const used = new Set();
      for (const row of this.rows()) if (row instanceof Map) for (const key of row.keys()) used.add(key);
      for (const key of used) if (!known.has(key)) all.push({ key, node: {}, kind: "raw", required: false, isUnknown: true });
      this.all = all;
      const shown = all.filter((column) => this.isWide || column.required || used.has(column.key));
      return shown.length ? shown : all;
    }

    scroller() {
      const label = this.form.say("tableOf", { value: this.path[this.path.length - 1] });
      const table = h("table", { class: "form-table", "aria-label": label }, this.head, this.body);
      return h("div", { class: "scroll-x form-table-scroll", tabindex: "0", role: "group", "aria-label": label }, table);
    }

    button(text, go, attributes) {
      return h("button", { type: "button", class: "btn btn-plain btn-sm", text: this.form.say(text), onclick: go, ...attributes });
    }

    tools() {
      this.wide = this.button("allColumns", () => {
        this.isWide = !this.isWide;
        this.draw();
      });
      const area = h("textarea", { class: "form-control mono", rows: 5, spellcheck: "false", "aria-label": this.form.say("pasteHere") });
      const take = this.button("takeRows", () => {
        if (!area.value.trim()) return area.focus();
        this.take(area.value, this.rows().length, 0);
        area.value = "";
        box.open = false;
      });
      const box = h(
        "details",
        { class: "form-paste" },
        h("summary", { class: "btn btn-plain btn-sm", text: this.form.say("paste") }),
        h("p", { class: "form-help", text: this.form.say("pasteHelp") }), area, take,
      );
      return h("div", { class: "form-bar" }, this.button("addRow", () => this.add()), this.wide, box);
    }

    draw() {
      const rows = this.rows();
      this.page = Math.max(0, Math.min(this.page, Math.ceil(rows.length / PAGE) - 1));
      this.shown = this.columns();
      const start = this.page * PAGE;
      this.head.replaceChildren(h("tr", {}, h("th", { class: "form-corner", scope: "col", text: this.form.say("row") }),
        ...this.shown.map((column) => this.headCell(column))));
      this.body.replaceChildren(...rows.slice(start, start + PAGE).map((row, index) => this.row(row, start + index)));
      if (!rows.length) {
        const cell = h("td", { class: "quiet", colspan: String(this.shown.length + 1), text: this.form.say("noRows") });
        this.body.append(h("tr", {}, cell));
      }
      this.wide.hidden = this.all.length === this.shown.length && !this.isWide;
      this.wide.textContent = this.form.say(this.isWide ? "fewColumns" : "allColumns", { value: this.all.length });
      this.drawPager(rows.length, start);
      this.mark();
    }

    headCell(column) {
      const title = column.node.title || column.key;
      const need = column.required ? h("span", { class: "form-need", text: "*", title: this.form.say("required") }) : null;
      const note = column.isUnknown ? this.form.say("unknownColumn") : column.node.description;
      return h("th", { scope: "col", title: note || null }, title, need);
    }

    row(row, number) {
      const cells = [h("th", { scope: "row", class: "form-row-head" }, h("span", { text: String(number + 1) }), this.actions(number))];
      if (!(row instanceof Map)) {
        const cell = h("td", { colspan: String(this.shown.length) }, h("code", { text: json.stringify(row).slice(0, 200) }));
        return h("tr", { "data-row": String(number) }, ...cells, cell);
      }
      for (const [index, column] of this.shown.entries()) cells.push(h("td", {}, this.cell(row, number, column, index)));
      return h("tr", { "data-row": String(number) }, ...cells);
    }

    cell(row, number, column, index) {
      const value = row.get(column.key);
      const kind = column.kind === "boolean" || column.kind === "enum" ? "enum" : "mixed";
      const node = column.kind === "boolean" ? { ...column.node, enum: [true, false] } : column.node;
      const label = this.form.say("cell", { value: column.node.title || column.key, row: number + 1 });
      const field = input(this.form, node, kind, value, {
        "aria-label": label, "data-cell": String(index), "data-pointer": this.pointer + "/" + number + json.pointer([column.key]),
      });
      if (field.tagName === "TEXTAREA") field.rows = 1;
      if (field.type === "text" && ["integer", "number"].includes(column.kind)) field.inputMode = "decimal";
      if (column.kind === "raw" || ["object", "array"].includes(json.typeOf(value))) {
        field.read = () => this.readRaw(field.value, value);
      }
      return field;
    }

    readRaw(text, before) {
      if (text === "") return undefined;
      if (typeof before === "string") return text;
      try {
        return json.parse(text);
      } catch (error) {
        return text;
      }
    }

    actions(number) {
      const make = (sign, text, go) => {
        const label = this.form.say(text, { row: number + 1 });
        return h("button", { type: "button", class: "form-row-button", title: label, "aria-label": label, onclick: go }, sign);
      };
      return h(
        "span",
        { class: "form-row-actions" },
        make("↑", "moveUp", () => this.move(number, number - 1)), make("↓", "moveDown", () => this.move(number, number + 1)),
        make(icon("copy"), "duplicateRow", () => this.insert(number + 1, json.copy(this.rows()[number]))), make("×", "removeRow", () => this.remove(number)),
      );
    }

    drawPager(count, start) {
      if (count <= PAGE) return this.pager.replaceChildren();
      const go = (page) => () => {
        this.page = page;
        this.draw();
      };
      const range = this.form.say("range", { from: start + 1, to: Math.min(count, start + PAGE), count });
      this.pager.replaceChildren(
        this.button("previous", go(this.page - 1), { disabled: this.page === 0 }), h("span", { class: "small", text: range }),
        this.button("next", go(this.page + 1), { disabled: start + PAGE >= count }),
      );
    }

    // --- changes ---------------------------------------------------------------------------------------------
    add() {
      this.insert(this.rows().length, new Map());
    }

    insert(at, row) {
      this.made().splice(at, 0, row);
      this.changed(at);
    }

    remove(number) {
      const rows = this.made();
      rows.splice(number, 1);
      this.changed(Math.min(number, rows.length - 1));
    }

    move(from, to) {
      const rows = this.made();
      if (to < 0 || to >= rows.length) return;
      rows.splice(to, 0, rows.splice(from, 1)[0]);
      this.changed(to);
    }

    // The rows are others now: the places of the last check's problems no longer hold.
    changed(number) {
      this.form.touch();
      this.faults = [];
      if (number >= 0) this.page = Math.floor(number / PAGE);
      this.draw();
      if (number >= 0) this.focus(number, 0);
    }

    // Cells from the clipboard, from a row and column on; rows are added as needed.
    take(text, row, column) {
      const cells = paste.read(text);
      const named = paste.header(cells[0], this.all);
      const columns = named || this.shown.slice(column);
      const data = named ? cells.slice(1) : cells;
      const rows = this.made();
      const filled = data.filter((line) => line.some((one) => one.trim() !== ""));
      filled.forEach((line, offset) => this.fill(rows, row + offset, line, columns));
      const unknown = named ? cells[0].filter((cell, index) => cell.trim() && !named[index]) : [];
      this.changed(row);
      const parts = [this.form.say("pasted", { value: filled.length })];
      if (unknown.length) parts.push(this.form.say("unknownColumns", { value: unknown.join(", ") }));
      const most = named ? Infinity : columns.length;
      if (filled.some((line) => line.length > most)) parts.push(this.form.say("tooManyCells", { value: most }));
      this.status.textContent = parts.join(" ");
    }

    fill(rows, number, line, columns) {
      while (rows.length <= number) rows.push(new Map());
      if (!(rows[number] instanceof Map)) return;
      line.forEach((text, index) => {
        const column = columns[index];
        if (!column) return;
        const before = rows[number].get(column.key);
        const value = column.kind === "raw" ? this.readRaw(text, before) : this.form.schema.convert(text, column.node);
        if (value === undefined) rows[number].delete(column.key);
        else rows[number].set(column.key, value);
      });
    }

    // --- events ----------------------------------------------------------------------------------------------
    at(target) {
      const field = target.closest("[data-cell]");
      if (!field) return null;
      return { field, row: Number(field.closest("tr").dataset.row), column: Number(field.dataset.cell) };
    }

    listen() {
      const commit = (event) => {
        const place = this.at(event.target);
        if (place) this.commit(place);
      };
      this.body.addEventListener("input", commit);
      this.body.addEventListener("change", commit);
      this.body.addEventListener("keydown", (event) => this.key(event));
      this.body.addEventListener("paste", (event) => {
        const place = this.at(event.target);
        const text = event.clipboardData.getData("text/plain");
        if (!place || !/[\t\n]./.test(text.trim())) return;
        event.preventDefault();
        this.take(text, place.row, place.column);
      });
    }

    commit({ field, row, column }) {
      const { key, node, required } = this.shown[column];
      const value = field.read();
      const target = this.rows()[row];
      if (value === undefined) target.delete(key);
      else target.set(key, value);
      this.form.touch();
      const fault = this.form.schema.fault(value, node, required);
      const text = fault ? this.form.say(fault[0], { value: fault[1] }) : "";
      this.faults = this.faults.filter((one) => one.row !== row || one.key !== key);
      this.markField(field, text);
      this.drawFaults();
    }

    key(event) {
      const place = this.at(event.target);
      if (!place || event.altKey || event.ctrlKey || event.metaKey) return;
      const isText = place.field.tagName === "INPUT";
      let step = 0;
      if (event.key === "Enter" && place.field.tagName !== "TEXTAREA") step = event.shiftKey ? -1 : 1;
      else if (isText && event.key === "ArrowDown") step = 1;
      else if (isText && event.key === "ArrowUp") step = -1;
      if (!step) return;
      event.preventDefault();
      this.focus(place.row + step, place.column);
    }

    focus(row, column) {
      if (row < 0 || row >= this.rows().length) return;
      if (Math.floor(row / PAGE) !== this.page) {
        this.page = Math.floor(row / PAGE);
        this.draw();
      }
      const field = this.body.querySelector('tr[data-row="' + row + '"] [data-cell="' + column + '"]');
      if (field) field.focus();
    }

    // --- what is wrong ---------------------------------------------------------------------------------------
    // faults: { row, key, text }; key "" is the whole row
    show(faults) {
      this.faults = faults;
      if (faults.some((one) => one.key && !this.shown.some((column) => column.key === one.key))) this.isWide = true;
      if (this.isWide) this.draw();
      else this.mark();
    }

    mark() {
      for (const field of this.body.querySelectorAll("[aria-invalid]")) this.markField(field, "");
      for (const fault of this.faults) {
        const column = this.shown.findIndex((one) => one.key === fault.key);
        const field = this.body.querySelector('tr[data-row="' + fault.row + '"] [data-cell="' + column + '"]');
        if (field) this.markField(field, fault.text);
      }
      this.drawFaults();
    }

    markField(field, text) {
      field.classList.toggle("is-wrong", Boolean(text));
      if (text) {
        field.setAttribute("aria-invalid", "true");
        field.setAttribute("aria-description", text);
        field.title = text;
      } else {
        ["aria-invalid", "aria-description", "title"].forEach((name) => field.removeAttribute(name));
      }
    }

    drawFaults() {
      const items = this.faults.slice(0, KEEP).map((fault) => {
        const where = this.form.say("rowNumber", { row: fault.row + 1 }) + (fault.key ? ", " + fault.key : "");
        const jump = h("button", { type: "button", class: "jump", text: where });
        jump.addEventListener("click", () => {
          this.focus(fault.row, Math.max(0, this.shown.findIndex((one) => one.key === fault.key)));
        });
        return h("li", {}, jump, ": " + fault.text);
      });
      this.list.replaceChildren(...items);
    }
  }

  window.centroForm.table = function (form, path, node) {
    return new Table(form, path, node).element;
  };
})();
