"""Colours, once: those of Okabe and Ito (2008), which colour-blind eyes tell apart, on light and on dark ground. Text has a contrast of 4.5."""

from typing import Any

BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)
RAMP = ("#DCEBF7", "#B3D3EA", "#85B8DA", "#5499C5", "#2C78A9", "#0F5789", "#063A60")
"""Magnitude."""
DIVERGING = ("#0F5789", "#5499C5", "#B3D3EA", "#E6E6E6", "#F4CF93", "#E69F00", "#A36200")
"""Below expectation, as expected, above."""
QUIET, QUIET_ON_DARK = "#66707B", "#9AA5B0"
"""Comparisons, targets, axes."""

_LIGHT = {
    "backgroundColor": "#FFFFFF",
    "secondaryBackgroundColor": "#F3F5F7",
    "textColor": "#1D2733",
    "primaryColor": BLUE,
    "linkColor": "#00639C",
    "borderColor": "#D5DCE3",
    "redColor": "#B3261E",
}
_DARK = {
    "backgroundColor": "#12181F",
    "secondaryBackgroundColor": "#1C252E",
    "textColor": "#E8EDF2",
    "primaryColor": SKY,
    "linkColor": "#7CC4F0",
    "borderColor": "#37434F",
    "redColor": "#FF8A80",
}
_BOTH = {
    "baseRadius": "6px",
    "chartCategoricalColors": list(SERIES),
    "chartSequentialColors": ["#EEF5FB", "#DCEBF7", *RAMP[1:], "#042A47", "#021B2F"],
    "linkUnderline": True,
}

THEME: dict[str, Any] = {
    **{f"theme.{name}": value for name, value in _BOTH.items()},
    **{f"theme.light.{name}": value for name, value in _LIGHT.items()},
    **{f"theme.dark.{name}": value for name, value in _DARK.items()},
}
"""Streamlit's options."""
