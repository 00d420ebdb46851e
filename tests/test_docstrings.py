import inspect
from collections.abc import Iterator
from types import FunctionType

import pytest
from numpydoc.validate import validate

import skgd
import skgd.testing

MODULES = [skgd, skgd.callback, skgd.strategies, skgd.testing]

#: numpydoc's codes that docstrings may break, each with its reason.
ALLOWED = {
    "ES01": "a summary may say all there is to say",
    "RT02": "a return value has a name, as in scikit-learn, that the text refers to",
}
ALLOWED_OF_MEMBERS = ALLOWED | {"SA01": "their class has the references"}
ALLOWED_OF_PROPERTIES = ALLOWED_OF_MEMBERS | {"EX01": "the example of a class has them"}
ALLOWED_OF_HOOKS = ALLOWED_OF_MEMBERS | {"EX01": "fit calls them, and not the user"}

HOOKS = {
    "DescentHistory.descent_observer",
    "DescentHistory.on_fit_task_begin",
    "DescentHistory.on_fit_task_end",
    "DescentHistory.setup",
    "DescentHistory.teardown",
    "Objective.to_device",
}


def public_names() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each public name with the codes that its docstring may break."""
    for module in MODULES:
        for name in module.__all__:
            exported = getattr(module, name)
            if isinstance(exported, (type, FunctionType)):
                yield f"{module.__name__}.{name}", ALLOWED
            if isinstance(exported, type):
                for member, allowed in members_of(exported):
                    yield f"{module.__name__}.{name}.{member}", allowed


def members_of(cls: type) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the same for the methods and properties that are written in skgd."""
    for name, member in inspect.getmembers(cls):
        is_property = isinstance(member, property)
        function = member.fget if is_property else member
        is_ours = str(getattr(function, "__module__", "")).startswith("skgd.")
        if name.startswith("_") or not is_ours or not callable(function):
            continue
        if f"{cls.__name__}.{name}" in HOOKS:
            yield name, ALLOWED_OF_HOOKS
        else:
            yield name, ALLOWED_OF_PROPERTIES if is_property else ALLOWED_OF_MEMBERS


@pytest.mark.parametrize(("name", "allowed"), list(public_names()))
def test_public_docstrings_pass_the_validation_of_numpydoc(name, allowed):
    errors = validate(name)["errors"]
    assert not [f"{code}: {what}" for code, what in errors if code not in allowed]


def test_methods_and_properties_of_public_classes_are_validated():
    names = {name for name, _ in public_names()}
    assert names.issuperset(
        [
            "skgd.gd_path",
            "skgd.GDLinearRegressor.partial_fit",
            "skgd.GDLinearRegressorCV.coef_",
            "skgd.Moments.from_data",
            "skgd.strategies.ModuleStrategy.resume",
            "skgd.testing.check_gradient_strategy",
        ]
    )
    assert "skgd.GDLinearRegressor.set_params" not in names  # scikit-learn's
