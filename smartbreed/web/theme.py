"""The app's Gradio theme: warm colours, a light and a dark mode, system fonts only.

Every text colour has a contrast of at least 4.5:1 against its background (WCAG 2.2 AA).
"""

from __future__ import annotations

from gradio.themes.base import Base
from gradio.themes.utils import colors, sizes

_FONT = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

_CLAY = colors.Color(
    "#fdf5ef", "#f8e8dc", "#efcfb9", "#e5b08d", "#ea9a66", "#c9673a",
    "#a8481f", "#8d3a18", "#722f14", "#572510", "#3a190b", name="clay",
)  # fmt: skip
_SAND = colors.Color(
    "#fdfbf7", "#f8f2ea", "#ece2d5", "#dbcebf", "#b3a596", "#8c7e70",
    "#6a5e52", "#4a4038", "#332b25", "#241e1a", "#181411", name="sand",
)  # fmt: skip


class SmartBreedTheme(Base):
    """The theme: paper and clay in light mode, dark wood and apricot in dark mode."""

    def __init__(self) -> None:
        super().__init__(
            primary_hue=_CLAY,
            secondary_hue=_CLAY,
            neutral_hue=_SAND,
            spacing_size=sizes.spacing_md,
            radius_size=sizes.radius_lg,
            text_size=sizes.text_md,
            font=_FONT,
            font_mono=_MONO,
        )
        self.name = "smartbreed"
        self.set(
            body_background_fill="#faf5ee",
            body_background_fill_dark="#181411",
            body_text_color="#2b241e",
            body_text_color_dark="#f3ebe2",
            body_text_color_subdued="#655a4e",
            body_text_color_subdued_dark="#bdb0a2",
            background_fill_primary="#fffdfa",
            background_fill_primary_dark="#241e1a",
            background_fill_secondary="#f6efe5",
            background_fill_secondary_dark="#2e2722",
            border_color_primary="#e5d9ca",
            border_color_primary_dark="#43392f",
            border_color_accent="*primary_600",
            border_color_accent_dark="*primary_400",
            color_accent="*primary_600",
            color_accent_soft="#f8e8dc",
            color_accent_soft_dark="#3a2a20",
            link_text_color="*primary_600",
            link_text_color_dark="*primary_300",
            link_text_color_hover="*primary_700",
            link_text_color_hover_dark="*primary_200",
            link_text_color_visited="*primary_600",
            link_text_color_visited_dark="*primary_300",
            shadow_drop="0 1px 2px rgb(70 45 20 / 0.06)",
            shadow_drop_lg="0 6px 24px rgb(70 45 20 / 0.08)",
            block_background_fill="*background_fill_primary",
            block_background_fill_dark="*background_fill_primary",
            block_border_width="1px",
            block_border_color="*border_color_primary",
            block_border_color_dark="*border_color_primary",
            block_radius="14px",
            block_shadow="none",
            block_shadow_dark="none",
            block_label_background_fill="*background_fill_primary",
            block_label_background_fill_dark="*background_fill_primary",
            block_label_text_color="*body_text_color_subdued",
            block_label_text_color_dark="*body_text_color_subdued",
            block_title_text_color="*body_text_color",
            block_title_text_color_dark="*body_text_color",
            block_title_text_weight="600",
            block_info_text_color="*body_text_color_subdued",
            block_info_text_color_dark="*body_text_color_subdued",
            input_background_fill="#ffffff",
            input_background_fill_dark="#1e1915",
            input_border_color="#c9b9a6",
            input_border_color_dark="#6b5d50",
            input_border_color_focus="*primary_600",
            input_border_color_focus_dark="*primary_400",
            input_border_width="1px",
            input_placeholder_color="#73675b",
            input_placeholder_color_dark="#a89b8d",
            input_radius="10px",
            input_shadow="none",
            input_shadow_dark="none",
            button_large_radius="10px",
            button_medium_radius="10px",
            button_small_radius="9px",
            button_border_width="1px",
            button_primary_background_fill="*primary_600",
            button_primary_background_fill_dark="*primary_400",
            button_primary_background_fill_hover="*primary_700",
            button_primary_background_fill_hover_dark="*primary_300",
            button_primary_border_color="*primary_600",
            button_primary_border_color_dark="*primary_400",
            button_primary_text_color="#ffffff",
            button_primary_text_color_dark="#231508",
            button_secondary_background_fill="#fffdfa",
            button_secondary_background_fill_dark="#2e2722",
            button_secondary_background_fill_hover="#f6e9dc",
            button_secondary_background_fill_hover_dark="#3b322b",
            button_secondary_border_color="#c9b9a6",
            button_secondary_border_color_dark="#6b5d50",
            button_secondary_text_color="#3d332a",
            button_secondary_text_color_dark="#f3ebe2",
            checkbox_background_color_selected="*primary_600",
            checkbox_background_color_selected_dark="*primary_500",
            checkbox_border_color="#8c7e70",
            checkbox_border_color_dark="#8c7e70",
            checkbox_border_color_selected="*primary_600",
            checkbox_border_color_selected_dark="*primary_500",
            checkbox_label_background_fill="transparent",
            checkbox_label_background_fill_dark="transparent",
            checkbox_label_background_fill_hover="*background_fill_secondary",
            checkbox_label_background_fill_hover_dark="*background_fill_secondary",
            checkbox_label_background_fill_selected="*color_accent_soft",
            checkbox_label_background_fill_selected_dark="*color_accent_soft",
            checkbox_label_text_color_selected="*body_text_color",
            checkbox_label_text_color_selected_dark="*body_text_color",
            slider_color="*primary_600",
            slider_color_dark="*primary_400",
            loader_color="*primary_600",
            loader_color_dark="*primary_400",
            error_background_fill="#fdeeea",
            error_background_fill_dark="#3a1d17",
            error_border_color="#d9a08f",
            error_border_color_dark="#8a4434",
            error_text_color="#8a2413",
            error_text_color_dark="#ffb8a6",
        )
