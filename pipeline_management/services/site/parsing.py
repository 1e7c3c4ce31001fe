"""From the YAML's data to typed parts, every misfit told with its path, its line and what was expected."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipeline_management.services.schema_sentences import did_you_mean
from pipeline_management.services.site.reading import Location, Source
from pipeline_management.services.site.schema import SiteFile

_TYPES = {
    "string_type": "text; write it in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def parse_site(source: Source) -> SiteFile | None:
    """The typed site file; None when there are faults, which are then noted in ``source``."""
    try:
        return SiteFile.model_validate(source.data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            location = _location(detail["loc"], source)
            source.complain(location, _sentence(detail, location))
        return None


def _location(parts: tuple[int | str, ...], source: Source) -> Location:
    """Pydantic's location without the names of union branches, which the file does not have."""
    location: Location = ()
    data: Any = source.data
    for number, part in enumerate(parts):
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            if number < len(parts) - 1 or part in ("str", "int"):
                continue
        location = (*location, part)
    return location


def _sentence(detail: ErrorDetails, location: Location) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    found = detail.get("input")
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return f"is not a known key{did_you_mean(str(location[-1]), _known_keys(location))}"
    if kind in _TYPES:
        return f"expected {_TYPES[kind]}, found {_shown(found)}"
    if kind == "literal_error":
        return f"expected {context['expected']}, found {_shown(found)}"
    if kind == "value_error":
        return str(context["error"])
    message = detail["msg"]
    message = message.replace("Input should be ", "expected a number ").replace(
        "Value should", "should"
    )
    return f"{message[0].lower()}{message[1:]}, found {_shown(found)}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


def _model_at(location: Location) -> type[BaseModel] | None:
    """The class of the part that holds the last name of a location."""
    model: type[BaseModel] | None = SiteFile
    for part in location[:-1]:
        if isinstance(part, str) and model is not None:
            info = _field(model, part)
            model = _model_in(info.annotation) if info is not None else None
    return model


def _field(model: type[BaseModel], name: str) -> Any:
    by_alias = {info.alias or key: info for key, info in model.model_fields.items()}
    return by_alias.get(name)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _known_keys(location: Location) -> list[str]:
    model = _model_at(location)
    return [info.alias or key for key, info in model.model_fields.items()] if model else []
