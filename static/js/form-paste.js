// Cells out of a spreadsheet: what the clipboard holds as tab or comma separated text, with or without a header row.
(function () {
  "use strict";

  // Rows of cells; quoted cells may hold separators and line ends. A trailing line end gives no row.
  function cells(text, separator) {
    const rows = [[]];
    let at = 0;
    while (at <= text.length) {
      let cell = "";
      if (text[at] === '"') {
        let end = at + 1;
        while (end < text.length && (text[end] !== '"' || text[end + 1] === '"')) end += text[end] === '"' ? 2 : 1;
        cell = text.slice(at + 1, end).replace(/""/g, '"');
        at = end + 1;
        // What stands behind the closing quote belongs to the cell, as spreadsheets read it.
      }
      let end = at;
      while (end < text.length && text[end] !== separator && text[end] !== "\n") end += 1;
      rows[rows.length - 1].push(cell + text.slice(at, end).replace(/\r$/, ""));
      if (text[end] === "\n") rows.push([]);
      at = end + 1;
    }
    const last = rows[rows.length - 1];
    if (rows.length > 1 && last.length === 1 && last[0] === "") rows.pop();
    return rows;
  }

  function read(text) {
    const clean = text.replace(/\r\n?/g, "\n");
    if (clean.includes("\t")) return cells(clean, "\t");
    const first = clean.split("\n", 1)[0];
    if (first.includes(";") && !first.includes(",")) return cells(clean, ";");
    return first.includes(",") ? cells(clean, ",") : cells(clean, "\t");
  }

  const plain = (word) => word.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

  // Which column each cell of a header row names (null for none), or null if the row is no header.
  function header(row, columns) {
    const found = row.map((cell) => {
      const word = plain(cell);
      return columns.find((column) => word && (plain(column.key) === word || plain(column.node.title || "") === word)) || null;
    });
    const named = found.filter(Boolean).length;
    return named && named * 2 >= row.filter((cell) => cell.trim() !== "").length ? found : null;
  }

  window.centroForm.paste = { read, header };
})();
