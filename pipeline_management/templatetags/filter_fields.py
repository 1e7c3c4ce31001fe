"""Fields of a filter as crispy-forms shows them, but without a template for each of their parts: the list of runs has
seven of them on every page, and they took a fifth of its time."""

from __future__ import annotations

from django import template
from django.forms import BoundField
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def filter_field(field: BoundField) -> SafeString:
    """A text, a date or a choice with its label and what is wrong with it."""
    errors = field.errors
    number = f"id_{field.name}"
    marks: str = ""
    said: str = ""
    if errors:
        marks = format_html(' aria-invalid="true" aria-describedby="{}_error"', number)
        said = format_html(
            '<div id="{}_error" class="invalid-feedback">{}</div>',
            number,
            format_html_join("", "<p><strong>{}</strong></p>", ((error,) for error in errors)),
        )
    shape = _choice if hasattr(field.field, "choices") else _input
    return format_html(
        '<div id="div_{0}" class="mb-3"><label for="{0}" class="form-label">{1}</label>{2}{3}</div>',
        number,
        field.label,
        shape(field, number, marks),
        said,
    )


def _wrong(field: BoundField) -> str:
    return " is-invalid" if field.errors else ""


def _choice(field: BoundField, number: str, marks: str) -> SafeString:
    chosen = str(field.value() or "")
    selected = format_html(" {}", "selected")
    options = (
        (value, selected if str(value) == chosen else "", label)
        for value, label in field.field.choices  # type: ignore[attr-defined]  # of those with choices only
    )
    return format_html(
        '<select name="{}" class="select form-select{}" id="{}"{}>{}</select>',
        field.html_name,
        _wrong(field),
        number,
        marks,
        format_html_join("", '<option value="{}"{}>{}</option>', options),
    )


def _input(field: BoundField, number: str, marks: str) -> SafeString:
    widget = field.field.widget
    longest = widget.attrs.get("maxlength")
    return format_html(
        '<input type="{}" name="{}" value="{}" class="form-control{}" id="{}"{}{}>',
        getattr(widget, "input_type", "text"),
        field.html_name,
        field.value() or "",
        _wrong(field),
        number,
        format_html(' maxlength="{}"', longest) if longest else "",
        marks,
    )
