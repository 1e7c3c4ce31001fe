// The form of one configuration: its values (form.root), its parts on the page, and what the check found at them.
(function () {
  "use strict";
  const { json, h, section, scalar, Schema } = window.centroForm;
  const CENTRO = ["pipeline", "system", "lab", "holdConfig"];

  class Form {
    // element: where it is drawn; texts: the sentences; changed(): called after every edit
    constructor(element, texts, changed) {
      this.element = element;
      this.texts = texts;
      this.changed = changed;
      this.root = new Map();
      this.opened = new Map();
      this.tables = new Map();
      this.faults = [];
    }

    say(name, values) {
      let text = this.texts[name];
      for (const [key, value] of Object.entries(values || {})) text = text.replace("%" + key, () => String(value));
      return text;
    }

    // root: the configuration as Maps; about: what the server says of the version (schema, example, labs, systems)
    load(root, about) {
      if (this.about !== about) {
        this.about = about;
        this.schema = new Schema(about.schema);
        this.example = json.fromPlain(about.example);
        this.opened.clear();
        this.tables.clear();
      }
      this.root = root;
      this.made = new WeakSet();
      this.render();
    }

    render() {
      this.tables = new Map(this.tables);
      const node = this.schema.resolve(this.schema.root, this.root);
      const hidden = CENTRO.filter((key) => key === "pipeline" || !(node.properties && key in node.properties));
      const title = node.title ? h("p", { class: "form-title", text: node.title }) : null;
      const help = node.description ? h("p", { class: "form-help", text: node.description }) : null;
      const parts = [title, help, this.run(hidden), section(this, [], node, hidden)];
      this.element.replaceChildren(...parts.filter(Boolean));
      this.showFaults();
    }

    // Where and in whose name: the keys that Centro reads itself, where the schema does not name them.
    run(hidden) {
      const options = (rows, title) => {
        return { title, enum: rows.map((row) => row.value), "x-labels": rows.map((row) => row.label) };
      };
      const nodes = {
        system: { ...options(this.about.systems, this.say("system")), description: this.say("systemHelp") },
        lab: { ...options(this.about.labs, this.say("lab")), description: this.say("labHelp") },
        holdConfig: { type: "boolean", title: this.say("hold"), description: this.say("holdHelp") },
      };
      const shown = hidden.filter((key) => key in nodes);
      const fields = shown.map((key) => scalar(this, [key], nodes[key], false));
      return fields.length ? h("div", { class: "form-grid form-run" }, ...fields) : null;
    }

    // --- values ----------------------------------------------------------------------------------------------
    get(path) {
      return json.get(this.root, path);
    }

    // Sets a value, or takes it out (undefined). Objects on the way are made, and go again once they are empty.
    set(path, value) {
      const way = [this.root];
      for (const step of path.slice(0, -1)) {
        const here = way[way.length - 1];
        let next = json.get(here, [step]);
        if (!(next instanceof Map) && !Array.isArray(next)) {
          if (value === undefined) return;
          next = new Map();
          this.made.add(next);
          here.set(String(step), next);
        }
        way.push(next);
      }
      const last = way[way.length - 1];
      const key = path[path.length - 1];
      if (Array.isArray(last)) last[key] = value;
      else if (value === undefined) last.delete(String(key));
      else last.set(String(key), value);
      for (let depth = way.length - 1; depth > 0 && this.made.has(way[depth]) && !way[depth].size; depth -= 1) {
        way[depth - 1].delete(String(path[depth - 1]));
      }
      this.touch();
    }

    touch() {
      this.changed();
    }

    // --- what is wrong ---------------------------------------------------------------------------------------
    find(pointer) {
      return this.element.querySelector('[data-pointer="' + CSS.escape(pointer) + '"]');
    }

    // The field of a place, or of the nearest part around it.
    nearest(pointer) {
      for (let here = pointer; here; here = here.slice(0, here.lastIndexOf("/"))) {
        const found = this.find(here);
        if (found) return found;
      }
      return null;
    }

    // faults: { pointer, code, text } as the check's list has them
    setFaults(faults) {
      this.faults = faults;
      if (this.about) this.showFaults();
    }

    showFaults() {
      for (const place of this.element.querySelectorAll("[data-fault]")) place.textContent = "";
      for (const field of this.element.querySelectorAll(".is-wrong")) this.markField(field, "");
      const inTables = new Map(Array.from(this.tables.values(), (table) => [table, []]));
      for (const fault of this.faults) {
        const table = this.tableOf(fault.pointer);
        if (table) inTables.get(table).push(this.inTable(table, fault));
        else this.mark(this.missing(fault) || this.nearest(fault.pointer), fault.text);
      }
      for (const [table, found] of inTables) {
        if (!table.element.isConnected) continue;
        table.show(found);
        if (found.length) this.open(table.element);
      }
    }

    tableOf(pointer) {
      return Array.from(this.tables.values()).find((table) => pointer.startsWith(table.pointer + "/"));
    }

    inTable(table, fault) {
      const [row, key] = json.path(fault.pointer.slice(table.pointer.length));
      const number = Number(row);
      if (key !== undefined || fault.code !== "required") return { row: number, key: key || "", text: fault.text };
      const value = this.get([...table.path, number]);
      const lacking = table.all.find((column) => {
        return column.required && value instanceof Map && !value.has(column.key) && this.names(fault.text, column.key);
      });
      return { row: number, key: lacking ? lacking.key : "", text: fault.text };
    }

    names(text, key) {
      return text.split(/[^\p{L}\p{N}_.-]+/u).some((word) => word.replace(/\.$/, "") === key);
    }

    // The field that a problem of the kind "required" means: it stands at the object that lacks it.
    missing(fault) {
      if (fault.code !== "required") return null;
      return Array.from(this.element.querySelectorAll("[data-required]")).find((element) => {
        const path = json.path(element.dataset.pointer);
        const isChild = json.pointer(path.slice(0, -1)) === fault.pointer;
        return isChild && this.get(path) === undefined && this.names(fault.text, path[path.length - 1]);
      });
    }

    mark(element, text) {
      if (!element) return;
      const place = element.querySelector("[data-fault]");
      if (place) place.textContent = place.textContent ? place.textContent + " " + text : text;
      const field = element.matches("input, select, textarea") ? element : element.querySelector("input, select, textarea");
      if (field && !element.matches("details")) this.markField(field, text);
      this.open(element);
    }

    markField(field, text) {
      field.classList.toggle("is-wrong", Boolean(text));
      if (text) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }

    // At once, while one types; the check's own sentence goes with it.
    local(path, text) {
      const element = this.find(json.pointer(path));
      if (!element) return;
      const place = element.querySelector("[data-fault]");
      if (place) place.textContent = "";
      const field = element.querySelector("input, select, textarea");
      if (field) this.markField(field, "");
      if (text) this.mark(element, text);
    }

    open(element) {
      for (let here = element.closest("details"); here; here = here.parentElement.closest("details")) here.open = true;
    }

    // Leads to the field of a place; false where the form has none.
    focus(pointer) {
      const table = this.tableOf(pointer);
      if (table) {
        const [row, key] = json.path(pointer.slice(table.pointer.length));
        this.open(table.element);
        table.focus(Number(row), Math.max(0, table.shown.findIndex((column) => column.key === key)));
        return true;
      }
      const element = this.nearest(pointer);
      if (!element) return false;
      this.open(element);
      const field = element.matches("input, select, textarea") ? element : element.querySelector("input, select, textarea, summary");
      field.focus();
      element.scrollIntoView({ block: "center" });
      return true;
    }
  }

  window.centroForm.Form = Form;
})();
