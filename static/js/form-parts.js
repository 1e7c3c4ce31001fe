// The parts of the form that hold others: sections, dictionaries, lists of switches, and keys the schema does not know.
(function () {
  "use strict";
  const { json, h, newId, input, scalar, list, raw, heading, notes } = window.centroForm;
  const FEW = 12;
  const MOST_ROWS = 300;

  // The element for one place of the configuration, by the kind that its schema says.
  function place(form, path, child, required) {
    const value = form.get(path);
    const node = form.schema.resolve(child, value);
    const kind = form.schema.kind(node);
    if (form.schema.isScalar(kind)) {
      const isOdd = ["object", "array"].includes(json.typeOf(value));
      return isOdd ? odd(form, path, node, required) : scalar(form, path, node, required);
    }
    const wanted = { table: "array", list: "array", section: "object", switches: "object", map: "object" }[kind];
    if (wanted && value !== undefined && json.typeOf(value) !== wanted) return odd(form, path, node, required);
    if (kind === "list") {
      const isPlain = (value || []).every((one) => !["object", "array", "null"].includes(json.typeOf(one)));
      const isOneLine = (value || []).every((one) => !/\n/.test(json.shown(one)) && json.shown(one).trim() !== "");
      return isPlain && isOneLine ? list(form, path, node, required) : raw(form, path, node, required);
    }
    if (kind === "raw") return raw(form, path, node, required);
    const inside = { table: window.centroForm.table, section, switches, map }[kind](form, path, node);
    return fold(form, path, node, required, inside);
  }

  // A part that opens and closes, with its title and help.
  function fold(form, path, node, required, inside) {
    const pointer = json.pointer(path);
    const isOpen = form.opened.has(pointer) ? form.opened.get(pointer) : required || form.get(path) !== undefined;
    const help = node.description ? h("p", { class: "form-help", text: node.description }) : null;
    const body = h("div", { class: "form-part-body" }, help, h("div", { class: "form-fault", "data-fault": "" }), inside);
    const details = h(
      "details",
      { class: "form-part", "data-pointer": pointer, "data-required": required || null, open: isOpen || null },
      h("summary", {}, ...heading(form, path, node, required)),
      body,
    );
    details.addEventListener("toggle", () => form.opened.set(pointer, details.open));
    return details;
  }

  // A value of another type than the schema says: kept as it is until the person starts over.
  function odd(form, path, node, required) {
    const wrapper = raw(form, path, node, required);
    const types = form.schema.types(node).join(", ");
    const again = h("button", { type: "button", class: "btn btn-plain btn-sm", text: form.say("startOver") });
    again.addEventListener("click", () => {
      const empty = { object: new Map(), array: [] }[form.schema.types(node)[0]];
      form.set(path, required ? empty : undefined);
      form.render();
      form.focus(json.pointer(path));
    });
    wrapper.append(h("p", { class: "form-odd" }, form.say("odd", { value: types }) + " ", again));
    return wrapper;
  }

  // The children of an object: short values as a grid, then the larger parts, then what the schema does not name.
  function section(form, path, node, hidden = []) {
    const grid = h("div", { class: "form-grid" });
    const parts = [];
    for (const [key, child] of form.schema.properties(node)) {
      if (hidden.includes(key)) continue;
      const element = place(form, [...path, key], child, form.schema.isRequired(node, key));
      if (element.classList.contains("form-part")) parts.push(element);
      else grid.append(element);
    }
    const known = [...Object.keys(node.properties || {}), ...hidden];
    return h("div", { class: "form-section" }, grid.children.length ? grid : null, ...parts, others(form, path, node, known));
  }

  // Keys that the schema does not name: shown where there are any, or where it allows more.
  function others(form, path, node, known) {
    const value = form.get(path);
    const present = value instanceof Map ? Array.from(value.keys()).filter((key) => !known.includes(key)) : [];
    const isClosed = node.additionalProperties === false && !node.patternProperties;
    const isTyped = node.additionalProperties && typeof node.additionalProperties === "object";
    if (!present.length && (isClosed || !isTyped)) return null;
    const title = h("p", { class: "label mb-1", text: form.say("alsoInJson") });
    const note = isClosed ? h("p", { class: "form-odd", text: form.say("unknownKeys") }) : null;
    return h("div", { class: "form-others" }, title, note, rows(form, path, node, known, isClosed));
  }

  function map(form, path, node) {
    return rows(form, path, node, [], false);
  }

  // Keys and values as rows that can be added to, renamed and removed.
  function rows(form, path, node, known, isClosed) {
    const body = h("div", { class: "form-map" });
    const child = form.schema.resolve(node.additionalProperties);
    const kind = form.schema.kind(child);
    const isScalar = form.schema.isScalar(kind);
    const entries = () => {
      const value = form.get(path);
      return value instanceof Map ? Array.from(value).filter(([key]) => !known.includes(key)) : [];
    };
    const replace = (change) => {
      const value = form.get(path);
      form.set(path, new Map(change(value instanceof Map ? Array.from(value) : [])));
    };

    function value(key, current) {
      const id = newId();
      const label = form.say("valueOf", { value: key });
      const shared = { id, "aria-label": label, "data-pointer": json.pointer([...path, key]) };
      const isPlain = !["object", "array"].includes(json.typeOf(current));
      if (isScalar && isPlain) {
        const field = input(form, child, kind, current, shared);
        field.addEventListener("change", () => form.set([...path, key], field.read() ?? ""));
        return field;
      }
      const field = h("textarea", { class: "form-control mono", rows: 1, ...shared, value: json.stringify(current) });
      field.addEventListener("change", () => {
        try {
          form.set([...path, key], json.parse(field.value));
        } catch (error) {
          form.set([...path, key], field.value);
        }
      });
      return field;
    }

    function row([key, current]) {
      const name = h("input", { class: "form-control mono", value: key, "aria-label": form.say("key"), spellcheck: "false" });
      name.addEventListener("change", () => {
        const isTaken = name.value === "" || (name.value !== key && (form.get([...path, name.value]) !== undefined));
        if (isTaken) return (name.value = key);
        replace((all) => all.map(([one, kept]) => [one === key ? name.value : one, kept]));
        draw();
      });
      const remove = h("button", { type: "button", class: "btn btn-plain btn-sm", text: form.say("remove") });
      remove.setAttribute("aria-label", form.say("remove") + ": " + key);
      remove.addEventListener("click", () => {
        form.set([...path, key], undefined);
        draw();
      });
      return h("div", { class: "form-map-row" }, name, value(key, current), remove);
    }

    function add() {
      const name = h("input", { class: "form-control mono", "aria-label": form.say("newKey"), placeholder: form.say("newKey") });
      const button = h("button", { type: "button", class: "btn btn-plain btn-sm", text: form.say("add") });
      const go = () => {
        if (name.value === "" || form.get([...path, name.value]) !== undefined) return name.focus();
        const first = { boolean: true, integer: 0, number: 0 }[kind];
        form.set([...path, name.value], kind === "enum" ? json.fromPlain(child.enum[0]) : first === undefined ? "" : first);
        draw();
        const fields = body.querySelectorAll(".form-map-row");
        fields[fields.length - 2].querySelectorAll("input, select, textarea")[1].focus();
      };
      button.addEventListener("click", go);
      name.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        go();
      });
      return h("div", { class: "form-map-row" }, name, h("span", {}), button);
    }

    function draw() {
      const all = entries();
      const shown = all.slice(0, MOST_ROWS).map(row);
      const more = all.length - MOST_ROWS;
      const rest = more > 0 ? h("p", { class: "quiet small", text: form.say("more", { value: more }) }) : null;
      body.replaceChildren(...shown, ...[rest, isClosed ? null : add()].filter(Boolean));
    }
    draw();
    return body;
  }

  // A dictionary of switches: a list to filter, each on, off or not set.
  function switches(form, path, node) {
    const current = () => (form.get(path) instanceof Map ? form.get(path) : new Map());
    const example = json.get(form.example, path);
    const listed = [...form.schema.names(node), ...(example instanceof Map ? example.keys() : []), ...current().keys()];
    const names = Array.from(new Set(listed));
    const count = h("p", { class: "quiet small mb-1", role: "status" });
    const id = newId();
    const filter = h("input", { type: "search", class: "form-control", id, placeholder: form.say("filter") });
    const grid = h("div", { class: "form-switches" });
    const items = names.map((name) => one(name));

    function one(name) {
      const box = h("input", { type: "checkbox", role: "switch", class: "form-check-input", id: newId() });
      const state = h("span", { class: "form-state", id: newId() });
      const clear = h("button", { type: "button", class: "form-clear", text: form.say("unset"), "aria-label": form.say("unset") + ": " + name });
      box.setAttribute("aria-describedby", state.id);
      const element = h(
        "div",
        { class: "form-switch-row", "data-pointer": json.pointer([...path, name]) },
        h("div", { class: "form-check form-switch" }, box, h("label", { class: "form-check-label", for: box.id, text: name })),
        state, clear, h("div", { class: "form-fault", "data-fault": "" }),
      );
      const item = { name, element, show };
      function show() {
        const value = current().get(name);
        const type = json.typeOf(value);
        box.checked = value === true;
        box.classList.toggle("is-unset", value === undefined);
        state.textContent = type === "" ? form.say("notSet") : type === "boolean" ? form.say(value ? "on" : "off") : json.shown(value);
        clear.hidden = value === undefined;
      }
      const write = (value) => {
        form.set([...path, name], value);
        show();
        total();
      };
      box.addEventListener("change", () => write(box.checked));
      clear.addEventListener("click", () => {
        write(undefined);
        box.focus();
      });
      show();
      return item;
    }

    function total() {
      const values = names.map((name) => current().get(name));
      const on = values.filter((value) => value === true).length;
      const off = values.filter((value) => value === false).length;
      count.textContent = form.say("switchCount", { on, off, unset: names.length - on - off });
    }

    function show() {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const item of items) item.element.hidden = !words.every((word) => item.name.toLowerCase().includes(word));
    }

    function all(value) {
      for (const item of items) if (!item.element.hidden) form.set([...path, item.name], value);
      items.forEach((item) => item.show());
      total();
    }

    const choices = [["allOn", true], ["allOff", false], ["allUnset", undefined]];
    const buttons = choices.map(([text, value]) => {
      return h("button", { type: "button", class: "btn btn-plain btn-sm", text: form.say(text), onclick: () => all(value) });
    });
    filter.addEventListener("input", show);
    filter.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
    grid.append(...items.map((item) => item.element));
    total();
    const head = h("div", { class: "form-bar" }, h("label", { class: "visually-hidden", for: id, text: form.say("filter") }), filter, ...buttons);
    const isOpen = node.additionalProperties !== false && !names.length;
    const tools = names.length >= FEW ? [head, count] : [count];
    return h("div", {}, ...tools, grid, isOpen ? rows(form, path, node, [], false) : null);
  }

  Object.assign(window.centroForm, { place, section, fold, others, notes });
})();
