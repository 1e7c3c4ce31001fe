// JSON without loss: keys keep their order (Map), numbers that a browser would round keep their digits (Exact).
(function () {
  "use strict";
  const DEPTH = 200;
  const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
  const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
  const SPACE = /[ \t\r\n]*/y;
  const WORDS = [["true", true], ["false", false], ["null", null]];

  class Exact {
    constructor(raw) {
      this.raw = raw;
    }
  }

  // code: "syntax", "duplicate" or "deep"; at: index in the text
  class Fault extends Error {
    constructor(code, at) {
      super(code);
      this.code = code;
      this.at = at;
    }
  }

  function number(raw) {
    const value = Number(raw);
    return String(value) === raw ? value : new Exact(raw);
  }

  // The value of a JSON text: Map, Array, string, number, Exact, boolean or null. Throws Fault.
  function parse(text) {
    let at = 0;

    function space() {
      SPACE.lastIndex = at;
      SPACE.test(text);
      at = SPACE.lastIndex;
    }

    function string() {
      STRING.lastIndex = at;
      if (!STRING.test(text)) throw new Fault("syntax", at);
      const raw = text.slice(at, STRING.lastIndex);
      at = STRING.lastIndex;
      return raw.includes("\\") ? JSON.parse(raw) : raw.slice(1, -1);
    }

    function take(sign) {
      space();
      if (text[at] !== sign) return false;
      at += 1;
      return true;
    }

    function object(depth) {
      const found = new Map();
      if (take("}")) return found;
      do {
        space();
        const start = at;
        const key = string();
        if (found.has(key)) throw new Fault("duplicate", start);
        if (!take(":")) throw new Fault("syntax", at);
        found.set(key, value(depth + 1));
      } while (take(","));
      if (!take("}")) throw new Fault("syntax", at);
      return found;
    }

    function list(depth) {
      const found = [];
      if (take("]")) return found;
      do found.push(value(depth + 1));
      while (take(","));
      if (!take("]")) throw new Fault("syntax", at);
      return found;
    }

    function value(depth) {
      if (depth > DEPTH) throw new Fault("deep", at);
      space();
      const sign = text[at];
      if (sign === '"') return string();
      if (sign === "{" || sign === "[") {
        at += 1;
        return sign === "{" ? object(depth) : list(depth);
      }
      for (const [word, meaning] of WORDS) {
        if (text.startsWith(word, at)) {
          at += word.length;
          return meaning;
        }
      }
      NUMBER.lastIndex = at;
      if (!NUMBER.test(text)) throw new Fault("syntax", at);
      const raw = text.slice(at, NUMBER.lastIndex);
      at = NUMBER.lastIndex;
      return number(raw);
    }

    const whole = value(0);
    space();
    if (at !== text.length) throw new Fault("syntax", at);
    return whole;
  }

  function write(value, indent) {
    const inner = indent + "  ";
    if (value instanceof Exact) return value.raw;
    if (value instanceof Map) {
      if (!value.size) return "{}";
      const members = Array.from(value, ([key, one]) => inner + JSON.stringify(key) + ": " + write(one, inner));
      return "{\n" + members.join(",\n") + "\n" + indent + "}";
    }
    if (Array.isArray(value)) {
      if (!value.length) return "[]";
      return "[\n" + value.map((one) => inner + write(one, inner)).join(",\n") + "\n" + indent + "]";
    }
    return JSON.stringify(value);
  }

  // The text of a value, indented by two.
  function stringify(value) {
    return write(value, "");
  }

  // What JSON.parse gave, with objects as Maps.
  function fromPlain(value) {
    if (Array.isArray(value)) return value.map(fromPlain);
    if (value === null || typeof value !== "object") return value;
    return new Map(Object.entries(value).map(([key, one]) => [key, fromPlain(one)]));
  }

  function copy(value) {
    if (Array.isArray(value)) return value.map(copy);
    if (value instanceof Map) return new Map(Array.from(value, ([key, one]) => [key, copy(one)]));
    return value;
  }

  function same(a, b) {
    return a === b || stringify(a) === stringify(b);
  }

  // The value at a path of keys and indexes; undefined where there is none.
  function get(root, path) {
    let here = root;
    for (const step of path) {
      if (here instanceof Map) here = here.get(String(step));
      else if (Array.isArray(here)) here = here[step];
      else return undefined;
    }
    return here;
  }

  // An RFC 6901 pointer of a path, and back.
  function pointer(path) {
    return path.map((step) => "/" + String(step).replace(/~/g, "~0").replace(/\//g, "~1")).join("");
  }

  function path(text) {
    return text.split("/").slice(1).map((step) => step.replace(/~1/g, "/").replace(/~0/g, "~"));
  }

  // "object", "array", "string", "integer", "number", "boolean", "null" or "" for undefined
  function typeOf(value) {
    if (value === undefined) return "";
    if (value === null) return "null";
    if (value instanceof Map) return "object";
    if (Array.isArray(value)) return "array";
    if (value instanceof Exact) return Number.isInteger(Number(value.raw)) ? "integer" : "number";
    if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
    return typeof value;
  }

  // A scalar as a person reads and writes it; other values as JSON.
  function shown(value) {
    if (value === undefined || value === null) return "";
    return typeof value === "string" ? value : stringify(value);
  }

  const isNumber = (text) => new RegExp("^" + NUMBER.source + "$").test(text);

  window.centroForm = {
    json: { Exact, Fault, parse, stringify, fromPlain, copy, same, get, pointer, path, typeOf, shown, number, isNumber },
  };
})();
