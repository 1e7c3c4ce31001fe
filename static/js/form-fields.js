// One value of the form: text, number, choice, switch, lines, or a piece of JSON. Written only when a person edits it.
(function () {
  "use strict";
  const { json } = window.centroForm;
  const LONG = 200;
  let ids = 0;

  // An element: h("p", { class: "quiet", text: "…" }, child, …); false and null attributes are left out.
  function h(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "text") element.textContent = value;
      else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name === "value" || name === "checked") element[name] = value;
      else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  // A picture of the site's sprite.
  function icon(name) {
    const space = "http://www.w3.org/2000/svg";
    const picture = document.createElementNS(space, "svg");
    const use = document.createElementNS(space, "use");
    use.setAttribute("href", document.getElementById("theme-button").dataset.sprite + "#" + name);
    picture.setAttribute("class", "icon");
    picture.setAttribute("aria-hidden", "true");
    picture.append(use);
    return picture;
  }

  function newId() {
    ids += 1;
    return "f" + ids;
  }

  // "≥ 1 · ≤ 9 · default 1" as far as the schema says so
  function limits(form, node) {
    const said = [];
    const bounds = [["minimum", "≥ "], ["exclusiveMinimum", "> "], ["maximum", "≤ "], ["exclusiveMaximum", "< "]];
    for (const [key, sign] of bounds) if (node[key] !== undefined) said.push(sign + node[key]);
    if (node.format) said.push(form.say("format", { value: node.format }));
    if (node.pattern && node.pattern.length <= 80) said.push(form.say("pattern", { value: node.pattern }));
    if (node.default !== undefined && typeof node.default !== "object") {
      said.push(form.say("default", { value: json.shown(node.default) }));
    }
    return said.join(" · ");
  }

  function placeholder(node) {
    const examples = Array.isArray(node.examples) ? node.examples : [];
    const value = examples.length ? examples[0] : node.default;
    return value === undefined || value === null || typeof value === "object" ? "" : json.shown(value);
  }

  // A select over the values of enum; one that is not among them is kept as an entry of its own.
  function choice(form, node, value, attributes) {
    const options = (Array.isArray(node.enum) ? node.enum : [node.const]).map(json.fromPlain);
    const select = h("select", { class: "form-select", ...attributes });
    select.append(h("option", { value: "", text: form.say("notSet") }));
    let chosen = "";
    options.forEach((one, index) => {
      const label = node["x-labels"] ? node["x-labels"][index] : json.shown(one) || '""';
      select.append(h("option", { value: String(index), text: label }));
      if (value !== undefined && json.same(one, value)) chosen = String(index);
    });
    if (value !== undefined && chosen === "") {
      select.append(h("option", { value: "kept", text: form.say("notAllowed", { value: json.shown(value) }) }));
      chosen = "kept";
    }
    select.value = chosen;
    select.read = () => (select.value === "" ? undefined : select.value === "kept" ? value : options[Number(select.value)]);
    return select;
  }

  // The input that suits a scalar; input.read() is its value.
  function input(form, node, kind, value, attributes) {
    if (kind === "enum") return choice(form, node, value, attributes);
    const text = json.shown(value);
    const type = json.typeOf(value);
    const isPlainNumber = ["integer", "number"].includes(kind) && ["", "integer", "number"].includes(type);
    const isDate = kind === "string" && node.format === "date" && (value === undefined || /^\d{4}-\d\d-\d\d$/.test(text));
    const isCell = Boolean(attributes && attributes["data-cell"]);
    const isWordy = text.length > LONG || node.maxLength > 500 || type === "object" || type === "array";
    const isLong = text.includes("\n") || (!isCell && isWordy);
    const shared = {
      class: "form-control",
      placeholder: value === "" ? '""' : placeholder(node) || null,
      autocomplete: "off",
      spellcheck: "false",
      ...attributes,
    };
    let field;
    if (isPlainNumber) {
      const step = kind === "integer" ? node.multipleOf || 1 : node.multipleOf || "any";
      field = h("input", { type: "number", min: node.minimum, max: node.maximum, step, ...shared, value: text });
    } else if (isLong) {
      field = h("textarea", { rows: 3, ...shared, value: text });
    } else {
      const mode = node.format === "email" ? "email" : null;
      field = h("input", { type: isDate ? "date" : "text", inputmode: mode, ...shared, value: text });
    }
    field.read = () => form.schema.convert(field.value, node, value);
    return field;
  }

  // Label, mark, input, help and the place for what is wrong, as one field of a grid.
  function scalar(form, path, node, required) {
    const kind = form.schema.kind(node);
    if (kind === "boolean" && [undefined, true, false].includes(form.get(path))) {
      return toggle(form, path, node, required);
    }
    const id = newId();
    const field = input(form, node, kind, form.get(path), {
      id,
      "aria-describedby": id + "-help " + id + "-fault",
      "aria-required": required ? "true" : null,
    });
    field.addEventListener("change", () => commit(form, field, path, node, required));
    field.addEventListener("input", () => commit(form, field, path, node, required));
    return frame(form, path, node, required, id, field);
  }

  function commit(form, field, path, node, required) {
    if (field.validity.badInput) {
      form.local(path, form.say("type", { value: form.schema.types(node).join(", ") }));
      return;
    }
    const value = field.read();
    form.set(path, value === undefined && required && form.schema.types(node).includes("string") ? "" : value);
    const fault = form.schema.fault(form.get(path), node, required);
    form.local(path, fault ? form.say(fault[0], { value: fault[1] }) : "");
  }

  function heading(form, path, node, required) {
    const key = String(path[path.length - 1]);
    const parts = [h("span", { text: node.title || key })];
    if (node.title && node.title.toLowerCase() !== key.toLowerCase()) parts.push(" ", h("code", { class: "form-key", text: key }));
    if (required) parts.push(" ", h("span", { class: "form-need", text: form.say("required") }));
    return parts;
  }

  function frame(form, path, node, required, id, field) {
    return h(
      "div",
      { class: "form-field", "data-pointer": json.pointer(path), "data-required": required || null },
      h("label", { class: "form-label", for: id }, ...heading(form, path, node, required)),
      field,
      ...notes(form, node, id),
    );
  }

  function notes(form, node, id) {
    const help = [node.description, limits(form, node)].filter(Boolean).join(" · ");
    return [
      h("div", { class: "form-help", id: id + "-help", text: help }),
      h("div", { class: "form-fault", id: id + "-fault", "data-fault": "" }),
    ];
  }

  // A switch of three states: on, off, and not set (then the pipeline's own default holds).
  function toggle(form, path, node, required) {
    const id = newId();
    const box = h("input", {
      type: "checkbox", role: "switch", class: "form-check-input", id,
      "aria-describedby": id + "-state " + id + "-help " + id + "-fault",
    });
    const state = h("span", { class: "form-state", id: id + "-state" });
    const clear = h("button", { type: "button", class: "form-clear", text: form.say("unset") });
    function show() {
      const value = form.get(path);
      box.checked = value === undefined ? node.default === true : value;
      box.classList.toggle("is-unset", value === undefined);
      state.textContent = value === undefined ? form.say("notSet") : form.say(value ? "on" : "off");
      clear.hidden = value === undefined || required;
    }
    box.addEventListener("change", () => {
      form.set(path, box.checked);
      form.local(path, "");
      show();
    });
    clear.addEventListener("click", () => {
      form.set(path, undefined);
      show();
      box.focus();
    });
    clear.setAttribute("aria-label", form.say("unset") + ": " + path[path.length - 1]);
    show();
    const label = h("label", { class: "form-check-label", for: id }, ...heading(form, path, node, required));
    return h(
      "div",
      { class: "form-field", "data-pointer": json.pointer(path), "data-required": required || null },
      h("div", { class: "form-check form-switch" }, box, label),
      h("div", { class: "form-switch-state" }, state, clear),
      ...notes(form, node, id),
    );
  }

  // A list of scalars: boxes where the values are listed in the schema, else one line each.
  function list(form, path, node, required) {
    const items = form.schema.resolve(node.items);
    const value = form.get(path) || [];
    const isChoice = Array.isArray(items.enum) && items.enum.length <= 40;
    const known = isChoice ? items.enum.map(json.fromPlain) : [];
    if (isChoice && value.every((one) => known.some((other) => json.same(one, other)))) {
      return boxes(form, path, node, required, known);
    }
    const id = newId();
    const lines = value.map(json.shown);
    const rows = Math.min(12, Math.max(3, lines.length + 1));
    const field = h("textarea", {
      id, class: "form-control", rows, spellcheck: "false", value: lines.join("\n"),
      "aria-describedby": id + "-help " + id + "-fault", placeholder: form.say("onePerLine"),
    });
    field.addEventListener("input", () => {
      const given = field.value.split("\n").filter((line) => line.trim() !== "");
      const values = given.map((line, index) => {
        return index < value.length && lines[index] === line ? value[index] : form.schema.convert(line, items);
      });
      form.set(path, values.length || required ? values : undefined);
      form.local(path, "");
    });
    const field2 = frame(form, path, node, required, id, field);
    field2.classList.add("is-wide");
    return field2;
  }

  function boxes(form, path, node, required, known) {
    const id = newId();
    const chosen = () => form.get(path) || [];
    const chips = known.map((one) => {
      const box = h("input", { type: "checkbox", checked: chosen().some((other) => json.same(one, other)) });
      box.addEventListener("change", () => {
        const rest = chosen().filter((other) => !json.same(one, other));
        const values = box.checked ? [...rest, one] : rest;
        form.set(path, values.length || required ? values : undefined);
        form.local(path, "");
      });
      return h("label", { class: "chip" }, box, h("span", { text: json.shown(one) }));
    });
    return h(
      "fieldset",
      { class: "form-field is-wide chips", "data-pointer": json.pointer(path), "data-required": required || null },
      h("legend", {}, ...heading(form, path, node, required)),
      h("div", { class: "list" }, ...chips),
      ...notes(form, node, id),
    );
  }

  // A value that the form has no better field for: its JSON.
  function raw(form, path, node, required) {
    const id = newId();
    const value = form.get(path);
    const field = h("textarea", {
      id, class: "form-control mono", rows: 4, spellcheck: "false",
      value: value === undefined ? "" : json.stringify(value),
      "aria-describedby": id + "-help " + id + "-fault", placeholder: form.say("asJson"),
    });
    field.addEventListener("input", () => {
      try {
        form.set(path, field.value.trim() === "" ? undefined : json.parse(field.value));
        form.local(path, "");
      } catch (error) {
        form.local(path, form.say("notJson"));
      }
    });
    const wrapper = frame(form, path, node, required, id, field);
    wrapper.classList.add("is-wide");
    return wrapper;
  }

  Object.assign(window.centroForm, { h, icon, newId, input, scalar, list, raw, heading, notes });
})();
