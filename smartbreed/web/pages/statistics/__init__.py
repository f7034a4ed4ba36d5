"""The statistics page: plain HTML that needs neither gradio nor JavaScript."""
