"""The look, light and dark, as Streamlit's theme options."""

from typing import Any, Final

_LIGHT: Final = {
    "primaryColor": "#0f766e",
    "backgroundColor": "#ffffff",
    "secondaryBackgroundColor": "#f4f6f8",
    "textColor": "#1c2430",
    "linkColor": "#0f766e",
    "borderColor": "#e3e7ec",
    "dataframeBorderColor": "#e3e7ec",
    "dataframeHeaderBackgroundColor": "#f7f9fa",
    "codeBackgroundColor": "#f4f6f8",
}
_DARK: Final = {
    "primaryColor": "#2a9d90",
    "backgroundColor": "#11161c",
    "secondaryBackgroundColor": "#1a212a",
    "textColor": "#e4e9ee",
    "linkColor": "#5cc8bb",
    "borderColor": "#2a333e",
    "dataframeBorderColor": "#2a333e",
    "dataframeHeaderBackgroundColor": "#1a212a",
    "codeBackgroundColor": "#1a212a",
}
_SIDEBAR: Final = {
    "theme.light.sidebar": {"backgroundColor": "#f7f9fa", "secondaryBackgroundColor": "#e9eef1"},
    "theme.dark.sidebar": {"backgroundColor": "#0d1217", "secondaryBackgroundColor": "#1a212a"},
}
_COMMON: Final = {
    "baseRadius": "0.6rem",
    "buttonRadius": "0.6rem",
    "showWidgetBorder": True,
    "headingFontWeights": [700, 600, 600, 600, 600, 600],
    "headingFontSizes": ["2rem", "1.35rem", "1.1rem", "1rem", "0.9rem", "0.9rem"],
    "metricValueFontSize": "1.7rem",
    "paddingTop": "2rem",
}


def _options() -> dict[str, Any]:
    options: dict[str, Any] = {f"theme.{name}": value for name, value in _COMMON.items()}
    for section, values in {"theme.light": _LIGHT, "theme.dark": _DARK, **_SIDEBAR}.items():
        options.update({f"{section}.{name}": value for name, value in values.items()})
    return options


THEME: Final = _options()
