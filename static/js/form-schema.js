// What of a JSON Schema (draft 2020-12) a form is made of: references, combinations, the kind of each place.
(function () {
  "use strict";
  const { json } = window.centroForm;
  const STEPS = 12;
  const SCALARS = ["string", "integer", "number", "boolean"];
  const MANY_SWITCHES = 8;

  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const own = (object, key) => (isObject(object) && Object.hasOwn(object, key) ? object[key] : undefined);

  class Schema {
    // root: the whole schema as plain JSON
    constructor(root) {
      this.root = isObject(root) ? root : {};
    }

    target(reference) {
      if (reference === "#") return this.root;
      if (typeof reference !== "string" || !reference.startsWith("#/")) return {};
      const found = json.path(reference.slice(1)).reduce((here, step) => {
        return Array.isArray(here) ? here[Number(step)] : own(here, step);
      }, this.root);
      return isObject(found) ? found : {};
    }

    // The node with its reference and its allOf filled in; of oneOf and anyOf the form that fits the value.
    resolve(node, value, steps = 0) {
      let here = isObject(node) ? node : {};
      if (steps > STEPS) return here;
      if (here.$ref !== undefined) {
        const { $ref, ...rest } = here;
        here = { ...this.resolve(this.target($ref), value, steps + 1), ...rest };
      }
      for (const part of Array.isArray(here.allOf) ? here.allOf : []) {
        here = this.joined(here, this.resolve(part, value, steps + 1));
      }
      const choices = [here.oneOf, here.anyOf].find((list) => Array.isArray(list) && list.length);
      if (!choices) return here;
      const { oneOf, anyOf, ...rest } = here;
      const forms = choices.map((one) => this.resolve(one, value, steps + 1));
      const usual = forms.filter((form) => !form.deprecated);
      const form = usual.find((one) => this.fits(one, value)) || usual[0] || forms[0];
      if (usual.length > 1 && usual.every((one) => this.types(one).every((type) => SCALARS.includes(type)))) {
        return { ...rest, ...this.mixed(usual) };
      }
      return this.joined(form, rest);
    }

    joined(first, second) {
      const both = { ...first, ...second };
      if (first.properties || second.properties) both.properties = { ...first.properties, ...second.properties };
      if (first.required || second.required) both.required = [...(first.required || []), ...(second.required || [])];
      delete both.allOf;
      return both;
    }

    mixed(forms) {
      if (forms.every((one) => Array.isArray(one.enum) || "const" in one)) {
        return { enum: forms.flatMap((one) => one.enum || [one.const]) };
      }
      return { type: forms.flatMap((one) => this.types(one)) };
    }

    types(node) {
      const listed = Array.isArray(node.type) ? node.type : [node.type];
      const named = listed.filter((type) => typeof type === "string");
      if (named.length) return named;
      if ("const" in node) return [json.typeOf(json.fromPlain(node.const))];
      if (Array.isArray(node.enum)) return [];
      if (node.properties || node.additionalProperties || node.patternProperties) return ["object"];
      return node.items || node.prefixItems ? ["array"] : [];
    }

    fits(node, value) {
      const type = json.typeOf(value);
      if (!type) return false;
      if ("const" in node) return json.same(json.fromPlain(node.const), value);
      if (Array.isArray(node.enum)) return node.enum.some((one) => json.same(json.fromPlain(one), value));
      const types = this.types(node);
      return !types.length || types.includes(type) || (type === "integer" && types.includes("number"));
    }

    // How a place is edited: section, table, list, switches, map, enum, boolean, integer, number, string, mixed, raw.
    kind(node) {
      if (Array.isArray(node.enum) || "const" in node) return "enum";
      const types = this.types(node).filter((type) => type !== "null");
      if (types.length > 1) return types.every((type) => SCALARS.includes(type)) ? "mixed" : "raw";
      if (types[0] === "object") return this.objectKind(node);
      if (types[0] === "array") return this.arrayKind(node);
      return SCALARS.includes(types[0]) ? types[0] : "raw";
    }

    objectKind(node) {
      const children = Object.values(node.properties || {}).map((child) => this.resolve(child));
      const booleans = children.filter((child) => this.kind(child) === "boolean").length;
      if (children.length) {
        return booleans === children.length && booleans >= MANY_SWITCHES ? "switches" : "section";
      }
      const rest = this.resolve(node.additionalProperties);
      return this.kind(rest) === "boolean" ? "switches" : "map";
    }

    arrayKind(node) {
      if (node.prefixItems) return "raw";
      const items = this.resolve(node.items);
      const kind = this.kind(items);
      if (kind === "section" || (kind === "switches" && items.properties)) return "table";
      return ["enum", "mixed", ...SCALARS].includes(kind) ? "list" : "raw";
    }

    isScalar(kind) {
      return ["enum", "mixed", ...SCALARS].includes(kind);
    }

    // Names that the switches or rows of a dictionary have, known from the schema.
    names(node) {
      const listed = this.resolve(node.propertyNames).enum;
      return [...Object.keys(node.properties || {}), ...(Array.isArray(listed) ? listed.map(String) : [])];
    }

    properties(node) {
      return Object.entries(node.properties || {});
    }

    isRequired(node, key) {
      return Array.isArray(node.required) && node.required.includes(key);
    }

    // What a person typed as a value of this place; undefined for nothing. What does not fit stays text.
    convert(text, node, before) {
      const types = this.types(node);
      if (Array.isArray(node.enum) || "const" in node) {
        const options = (node.enum || [node.const]).map(json.fromPlain);
        const found = options.find((one) => json.shown(one) === text);
        return found === undefined ? (text === "" ? undefined : text) : found;
      }
      if (text === "") return undefined;
      const trimmed = text.trim();
      const wordy = types.includes("string") && typeof before !== "boolean" && typeof before !== "number";
      if (!wordy && (types.includes("integer") || types.includes("number")) && json.isNumber(trimmed)) {
        return json.number(trimmed);
      }
      if (!wordy && types.includes("boolean")) {
        if (/^(true|yes|ja|1|x)$/i.test(trimmed)) return true;
        if (/^(false|no|nein|0)$/i.test(trimmed)) return false;
      }
      return text;
    }

    // A sentence's key and value for what is plainly wrong, or null. The server's check is what counts.
    fault(value, node, required) {
      if (value === undefined) return required ? ["missing"] : null;
      const type = json.typeOf(value);
      if (!this.fits(node, value)) return this.misfit(node);
      if (type === "integer" || type === "number") {
        const size = Number(json.shown(value));
        if (node.minimum !== undefined && size < node.minimum) return ["minimum", node.minimum];
        if (node.maximum !== undefined && size > node.maximum) return ["maximum", node.maximum];
      }
      if (type !== "string") return null;
      const length = Array.from(value).length;
      if (length < (node.minLength || 0)) return ["minLength", node.minLength];
      if (node.maxLength !== undefined && length > node.maxLength) return ["maxLength", node.maxLength];
      return null;
    }

    misfit(node) {
      if (Array.isArray(node.enum) || "const" in node) return ["enum"];
      const types = this.types(node).filter((type) => type !== "null");
      return ["type", types.join(", ")];
    }
  }

  Object.assign(window.centroForm, { Schema, isObject });
})();
