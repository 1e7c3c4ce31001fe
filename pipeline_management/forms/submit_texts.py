"""The sentences that the scripts of the submission page show; ``%name`` stands for a value."""

from __future__ import annotations

from django.utils.translation import gettext as _


def form_texts() -> dict[str, str]:
    """By the names that the scripts use, in the viewer's language."""
    return {**_page(), **_fields(), **_parts(), **_table()}


def _page() -> dict[str, str]:
    return {
        "choose": _("Choose a pipeline above; its form appears here."),
        "loading": _("The form is being made…"),
        "noSchema": _("The form could not be loaded; the JSON tab works without it. Open this tab again to retry."),
        "unknownPipeline": _("There is no pipeline %value that you may run; choose another above."),
        "syntax": _("The JSON does not parse, so there is no form. It is kept as it is; mend it in the JSON tab:"),
        "duplicate": _("The JSON names a key twice; a form would lose one. It is kept; mend it in the JSON tab:"),
        "deep": _("The JSON is nested too deeply for a form. It is kept as it is; change it in the JSON tab:"),
        "object": _("The JSON is no object {…}, so there is no form. It is kept; mend it in the JSON tab:"),
        "place": _("line %line, column %column"),
        "saved": _("Draft saved %time"),
        "notSaved": _("The draft could not be saved; trying again…"),
        "system": _("System"),
        "systemHelp": _("where it runs; Centro takes the first one where none is set"),
        "lab": _("Lab"),
        "labHelp": _("in whose name it runs; needed only if you are in several"),
        "hold": _("Hold"),
        "holdHelp": _("wait until somebody releases the run"),
    }  # fmt: skip


def _fields() -> dict[str, str]:
    return {
        "required": _("required"),
        "notSet": _("not set"),
        "notAllowed": _("%value (not among the values)"),
        "format": _("written as %value"),
        "pattern": _("matches %value"),
        "default": _("default %value"),
        "on": _("on"),
        "off": _("off"),
        "unset": _("Unset"),
        "onePerLine": _("one value per line"),
        "asJson": _("as JSON"),
        "notJson": _("This is not valid JSON yet; the last valid value is kept."),
        "missing": _("A value is needed here."),
        "minimum": _("At least %value is expected."),
        "maximum": _("At most %value is expected."),
        "minLength": _("At least %value characters are expected."),
        "maxLength": _("At most %value characters are expected."),
        "enum": _("One of the listed values is expected."),
        "type": _("Expected: %value."),
    }


def _parts() -> dict[str, str]:
    return {
        "odd": _(
            "The JSON has a value of another type here than the form knows (%value). It is kept."
        ),
        "startOver": _("Start over with the form"),
        "alsoInJson": _("Also in the JSON"),
        "unknownKeys": _("The pipeline does not know these keys; the check refuses them."),
        "valueOf": _("Value of %value"),
        "key": _("Key"),
        "newKey": _("new key"),
        "add": _("Add"),
        "remove": _("Remove"),
        "more": _("%value more are in the JSON tab."),
        "filter": _("Filter"),
        "switchCount": _("%on on, %off off, %unset not set"),
        "allOn": _("Shown on"),
        "allOff": _("Shown off"),
        "allUnset": _("Shown unset"),
    }


def _table() -> dict[str, str]:
    return {
        "tableOf": _("Rows of %value"),
        "row": _("Row"),
        "rowNumber": _("row %row"),
        "cell": _("%value, row %row"),
        "noRows": _("No rows yet. Add one, or paste cells from a spreadsheet."),
        "addRow": _("Add row"),
        "allColumns": _("All %value columns"),
        "fewColumns": _("Used columns only"),
        "unknownColumn": _("The pipeline does not know this column."),
        "paste": _("Paste from a spreadsheet"),
        "pasteHere": _("Cells from a spreadsheet"),
        "pasteHelp": _(
            "Cells with tabs or commas between, with or without a row of column names. Cells can also be "
            "pasted straight into the table, from the one that has the cursor on."
        ),
        "takeRows": _("Add the rows"),
        "pasted": _("%value rows were pasted."),
        "unknownColumns": _("Left out, for the table has no such columns: %value."),
        "tooManyCells": _("Cells beyond the last of %value columns were left out."),
        "moveUp": _("Move row %row up"),
        "moveDown": _("Move row %row down"),
        "duplicateRow": _("Duplicate row %row"),
        "removeRow": _("Remove row %row"),
        "range": _("rows %from to %to of %count"),
        "previous": _("Previous"),
        "next": _("Next"),
    }
