"""The pages about breeds: plain HTML that needs neither gradio nor JavaScript."""
